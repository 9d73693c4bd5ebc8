import type { Knex } from "knex";

/** One row of a resource's table. */
export interface Row {
  readonly table: string;
  readonly id: string;
  readonly version: number;
  /** The transaction that wrote it, as 32 bits. */
  readonly transaction: string;
  readonly text: string;
}

/** A row that is new, gone, or different. */
export interface Change {
  readonly table: string;
  readonly id: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

// Tables beside the resources; a write to them changes no resource.
const beside = new Set([
  "events",
  "event_logs",
  "idempotency_keys",
  "external_references",
  "passwords",
  "login_attempts",
]);

/** Every row of every resource, so that later tables are seen by themselves; of one tenant if it is named. */
export async function snapshot(db: Knex, tenantId?: string): Promise<Map<string, Row>> {
  const rows: Row[] = [];
  for (const table of await tablesOf(db)) {
    if (beside.has(table)) continue;
    const found = await db.raw(
      `select coalesce(row.json->>'id', row.json->>'tenant_id') id, (row.json->>'version')::int + coalesce((row.json->>'settings_version')::int, 0) version,
         xmin::text transaction, row.json::text text from (select xmin, to_jsonb(t.*) - 'custom_fields_version' - 'rules_version' json from ?? t where tenant_id = coalesce(?, tenant_id)) row`,
      [table, tenantId ?? null],
    );
    rows.push(...found.rows.map((row: Omit<Row, "table">) => ({ table, ...row })));
  }
  return new Map(rows.map((row) => [`${row.table} ${keyOf(row)}`, row]));
}

function keyOf(row: Row): string {
  const { tenant_id, customer_id, id, token_key } = JSON.parse(row.text) as Record<string, string>;
  // An erased token is still the same row.
  return `${tenant_id} ${row.table === "addresses" ? customer_id : ""} ${token_key ?? id}`;
}

/** The differences of two snapshots. */
export function changesBetween(before: ReadonlyMap<string, Row>, after: ReadonlyMap<string, Row>): Change[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  return keys
    .map((key) => ({ before: before.get(key), after: after.get(key) }))
    .filter((change) => change.before?.text !== change.after?.text)
    .map((change) => {
      const { table, id } = (change.after ?? change.before)!;
      return { table, id, ...change };
    });
}

/** Everything that the database holds, as text; bytes in hexadecimal. */
export async function dump(db: Knex): Promise<string> {
  const rows: string[] = [];
  for (const table of await tablesOf(db)) {
    const found = await db.raw("select t::text as text from ?? t", [table]);
    rows.push(...found.rows.map((row: { text: string }) => `${table}: ${row.text}`));
  }
  return rows.join("\n");
}

async function tablesOf(db: Knex): Promise<string[]> {
  const found = await db.raw("select tablename from pg_tables where schemaname = 'public' order by 1");
  return found.rows
    .map((row: { tablename: string }) => row.tablename)
    .filter((table: string) => !table.startsWith("knex_"));
}
