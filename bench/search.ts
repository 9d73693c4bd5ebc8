import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import pg from "pg";
import { SearchCustomersRequestSchema, SearchCustomersResponseSchema } from "../gen/clientele/v1/customers_pb.js";
import { startDatabase } from "./database.js";
import { startService } from "./processes.js";

// Queries by their cost to the database.
const kinds: Readonly<Record<string, readonly string[]>> = {
  "begins many names": ["mar", "jo", "eliz", "shad", "gar"],
  "begins few names": ["quentin q", "marco.0a", "zoe.ff", "ivan.77", "olga.123"],
  "inside many names": ["son", "ez", "an", "ill", "a"],
  "inside few e-mail addresses": ["ff00", "99999", "0a0a0", "c0ffe", "abcde"],
  "two letters, many": ["ar", "on", "ma", "er", "le"],
  "two letters, few or none": ["qz", "zz", "xq", "vb", "wx"],
  "one letter": ["a", "z", "x", "q", "7"],
  "accents and capitals": ["SÁNCH", "muñoz", "Sánchez", "MUNOZ", "núñ"],
  nobody: ["nobody here", "qqqqq", "zyxwv", "no-one@", "xxxx yyyy"],
};
const sizes = [10_000, 1_000_000];
const defaultRows = 10_000;
const rounds = 40;

/** Measures a search for each kind of text, at two sizes of a tenant; one caller, one call at a time. */
export async function benchSearch({ rows }: { readonly rows: number }): Promise<void> {
  for (const size of rows === defaultRows ? sizes : [rows]) await measure(size);
}

async function measure(rows: number): Promise<void> {
  const database = await startDatabase(20);
  try {
    await seedPeople(database.url, database.seeded.tenantId, rows);
    const service = await startService({
      url: database.url,
      poolSize: 10,
      folder: database.folder,
      cpuProf: undefined,
    });
    const client = new Client(`127.0.0.1:${service.grpcPort}`, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("api-key", database.seeded.key);
    const search = (query: string) => searchOnce(client, metadata, query);
    console.log(`\nSearchCustomers among ${rows.toLocaleString("en")} customers, ms a call (first page of 10)\n`);
    console.log(`${"kind".padEnd(30)}${"p50".padStart(10)}${"p99".padStart(10)}${"max".padStart(10)}`);
    for (const [kind, queries] of Object.entries(kinds)) {
      for (const query of queries) await search(query);
      const times: number[] = [];
      for (let round = 0; round < rounds; round++) {
        for (const query of queries) times.push(await search(query));
      }
      times.sort((a, b) => a - b);
      const cells = [0.5, 0.99, 1].map((part) => times[Math.ceil(times.length * part) - 1]!.toFixed(2).padStart(10));
      console.log(kind.padEnd(30) + cells.join(""));
    }
    client.close();
    await service.stop();
  } finally {
    await database.stop();
  }
}

function searchOnce(client: Client, metadata: Metadata, query: string): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/clientele.v1.CustomerService/SearchCustomers",
      (text: string) =>
        Buffer.from(toBinary(SearchCustomersRequestSchema, create(SearchCustomersRequestSchema, { query: text }))),
      (bytes) => fromBinary(SearchCustomersResponseSchema, bytes),
      query,
      metadata,
      (error) => (error === null ? resolve(performance.now() - started) : reject(error)),
    );
  });
}

const firstNames = `James Mary John Patricia Robert Jennifer Michael Linda William Elizabeth David Barbara Richard Susan
  Joseph Jessica Thomas Sarah Charles Karen Lisa Nancy Daniel Betty Matthew Sandra Anthony Ashley Mark Kimberly Paul
  Emily Steven Donna Andrew Michelle Kenneth Carol Shadya Josito Marco Zoe Quentin Xavier Ulrich Yvonne Ivan Olga Hugo
  José`.split(/\s+/);
const lastNames = `Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez
  Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sánchez Clark Ramirez Lewis
  Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell
  Mitchell Carter Muñoz`.split(/\s+/);

// Without the indexes of the search while rows come in, which is several times as fast.
async function seedPeople(url: string, tenantId: string, rows: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const indexes = await client.query<{ name: string; definition: string }>(
    "select indexname as name, indexdef as definition from pg_indexes where indexname like 'customers_search_%'",
  );
  for (const { name } of indexes.rows) await client.query(`drop index ${name}`);
  await client.query(
    `insert into customers (tenant_id, id, email, email_key, first_name, last_name, name, create_time, update_time)
     select $1, 'per_' || lpad(n::text, 26, '0'), email, sha256(convert_to(email, 'UTF8')), first, last,
       first || ' ' || last, at, at
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
  await client.end();
}
