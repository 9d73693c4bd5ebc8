import type { Knex } from "knex";
import { tenantOfSecret } from "../../src/rpc/callers/secret.js";
import type { Clientele, Clients, TestAccount } from "./clientele.js";
import { populate, type World } from "./world.js";

/** A new account, with what its test tenant holds. */
export interface PopulatedAccount<Content> {
  readonly account: TestAccount;
  readonly tenantId: string;
  readonly world: Content;
}

/**
 * Gives accounts whose test tenants hold the same, with the same ids but for those of events. The calls of `fill` fill one that nobody else gets;
 * each of the others is a copy of its rows, which takes one statement in place of some forty calls.
 */
export function createPopulatedAccounts(clientele: Clientele): () => Promise<PopulatedAccount<World>>;
export function createPopulatedAccounts<Content>(
  clientele: Clientele,
  fill: (clients: Clients) => Promise<Content>,
): () => Promise<PopulatedAccount<Content>>;
export function createPopulatedAccounts(clientele: Clientele, fill: (clients: Clients) => Promise<unknown> = populate) {
  const createTenant = async () => {
    const account = await clientele.createAccount();
    return { account, tenantId: tenantOfSecret(account.testKey, ["sk"])! };
  };
  const createOriginal = async () => {
    const { account, tenantId } = await createTenant();
    return { tenantId, world: await fill(account.test), copyRows: await copyStatement(clientele.db) };
  };
  let original: ReturnType<typeof createOriginal> | undefined;
  return async () => {
    original ??= createOriginal();
    const { tenantId: from, world, copyRows } = await original;
    const { account, tenantId } = await createTenant();
    await clientele.db.raw(copyRows, { from, to: tenantId });
    // The id of an event holds that of its tenant.
    const ownWorld = JSON.stringify(world).replaceAll(from.slice(idStart), tenantId.slice(idStart));
    return { account, tenantId, world: JSON.parse(ownWorld) };
  };
}

const idStart = "ten_".length;

// Of a tenant itself, its settings and versions are copied.
const ownColumns = ["tenant_id", "account_id", "account_name", "live_mode", "page_token_key"];

// Every key begins with the tenant, so the copies need no other ids. One statement, since references hold at its end only.
async function copyStatement(db: Knex): Promise<string> {
  const { rows } = await db.raw<{ rows: { table: string; columns: string[] }[] }>(
    `select table_name "table", array_agg(column_name::text) columns
     from information_schema.columns join information_schema.tables using (table_schema, table_name)
     where table_schema = 'public' and table_type = 'BASE TABLE' and is_generated = 'NEVER'
     group by 1 having 'tenant_id' = any (array_agg(column_name::text)) order by 1`,
  );
  const steps = rows.map(({ table, columns }) =>
    table === "tenants" ? copyTenant(columns) : copyTable(table, columns),
  );
  return `with ${steps.map((step, index) => `step_${index} as (${step})`).join(", ")} select`;
}

function copyTenant(columns: readonly string[]): string {
  const copied = columns.filter((column) => !ownColumns.includes(column));
  const set = copied.map((column) => `${column} = original.${column}`).join(", ");
  return `update tenants set ${set} from tenants original where tenants.tenant_id = :to and original.tenant_id = :from`;
}

function copyTable(table: string, columns: readonly string[]): string {
  const values = columns.map((column) => (column === "tenant_id" ? ":to" : column));
  return `insert into ${table} (${columns.join(", ")}) overriding system value
          select ${values.join(", ")} from ${table} where tenant_id = :from`;
}
