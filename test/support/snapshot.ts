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
  const tables = (await tablesOf(db)).filter((table) => !beside.has(table));
  const rows = await selectFrom<Row>(
    db,
    tables,
    `coalesce(json->>'id', json->>'tenant_id') id,
     (json->>'version')::int + coalesce((json->>'settings_version')::int, 0) version, transaction, json::text text`,
    tenantId,
  );
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

/** Everything that the database holds, as text; bytes in hexadecimal. Of one tenant if it is named. */
export async function dump(db: Knex, tenantId?: string): Promise<string> {
  const rows = await selectFrom<{ table: string; text: string }>(db, await tablesOf(db), "text", tenantId);
  return rows.map(({ table, text }) => `${table}: ${text}`).join("\n");
}

// One statement for all tables. A row of a table has its `text`, its `json` and the `transaction` that wrote it.
async function selectFrom<Selected>(db: Knex, tables: readonly string[], columns: string, tenantId?: string) {
  const ofTenant = tenantId === undefined ? "" : "where tenant_id = :tenantId";
  const selects = tables.map(
    (table) => `select '${table}' "table", ${columns} from (
       select t::text as text, xmin::text transaction, to_jsonb(t.*) - 'custom_fields_version' - 'rules_version' json
       from ${table} t ${ofTenant}) row`,
  );
  const { rows } = await db.raw(selects.join(" union all "), { tenantId: tenantId ?? "" });
  return rows as Selected[];
}

async function tablesOf(db: Knex): Promise<string[]> {
  const found = await db.raw("select tablename from pg_tables where schemaname = 'public' order by 1");
  return found.rows
    .map((row: { tablename: string }) => row.tablename)
    .filter((table: string) => !table.startsWith("knex_"));
}
