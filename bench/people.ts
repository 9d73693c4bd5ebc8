import pg from "pg";

const firstNames = `James Mary John Patricia Robert Jennifer Michael Linda William Elizabeth David Barbara Richard Susan
  Joseph Jessica Thomas Sarah Charles Karen Lisa Nancy Daniel Betty Matthew Sandra Anthony Ashley Mark Kimberly Paul
  Emily Steven Donna Andrew Michelle Kenneth Carol Shadya Josito Marco Zoe Quentin Xavier Ulrich Yvonne Ivan Olga Hugo
  José`.split(/\s+/);
const lastNames = `Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez
  Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sánchez Clark Ramirez Lewis
  Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell
  Mitchell Carter Muñoz`.split(/\s+/);

/** The id of the nth person, from 1; the higher, the older. */
export function personId(n: number): string {
  return `per_${String(n).padStart(26, "0")}`;
}

/**
 * Fills a tenant with customers of 2,500 names, each with metadata of its own, one a second back from now. The indexes of
 * texts and objects are built afterwards, which is several times as fast.
 */
export async function seedPeople(url: string, tenantId: string, rows: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const indexes = await client.query<{ name: string; definition: string }>(
    `select indexname as name, indexdef as definition from pg_indexes
     where tablename = 'customers' and indexdef ilike '%using gin%'`,
  );
  for (const { name } of indexes.rows) await client.query(`drop index ${name}`);
  await client.query(
    `insert into customers (tenant_id, id, email, email_key, first_name, last_name, name, metadata, create_time,
       update_time)
     select $1, 'per_' || lpad(n::text, 26, '0'), email, sha256(convert_to(email, 'UTF8')), first, last,
       first || ' ' || last, jsonb_build_object('number', 'N' || n, 'tier', (array['gold', 'silver', 'none'])[1 + n % 3]),
       at, at
     from generate_series(1, $2::int) n,
       lateral (select ($3::text[])[1 + (n::bigint * 7919) % 50] as first,
         ($4::text[])[1 + (n::bigint * 104729 / 50) % 50] as last) person,
       concat(lower(first), '.', substr(md5(n::text), 1, 7), n, '@',
         (array['gmail.com', 'example.com', 'shop.io', '4geeks.io', 'yahoo.co.uk'])[1 + n % 5]) email,
       date_trunc('milliseconds', now() - n * interval '1 second') at`,
    [tenantId, rows, firstNames, lastNames],
  );
  await client.query("set maintenance_work_mem = '1GB'");
  for (const { definition } of indexes.rows) await client.query(definition);
  await client.query("vacuum analyze customers");
  await client.query("checkpoint");
  await client.end();
}
