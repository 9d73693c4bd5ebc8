import pg from "pg";
import { expect, test } from "vitest";
import { numberEvents } from "../../../src/resources/events/log-store.js";
import { useClientele } from "../../support/clientele.js";

const clientele = useClientele();
const count = 5_000;

interface Plan {
  readonly "Node Type": string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly Plans?: readonly Plan[];
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

// The statistics of the table say what they said when it was nearly empty, as after a burst of events.
test("numbering reads each event of a batch a few times, also under statistics from before the burst", async () => {
  const { accountId } = await clientele.createAccount();
  const { tenant_id: tenantId } = await clientele
    .db("tenants")
    .where({ account_id: accountId, live_mode: false })
    .first();
  await clientele.db.raw("alter table events set (autovacuum_enabled = false); analyze events");
  await clientele.db.raw(
    `insert into events (tenant_id, type, resource_id, changed_paths, actor, actor_kind, create_time)
     select ?, 'customer.updated', 'c' || n, '{}', 'system', 'system', now() from generate_series(1, ?) n`,
    [tenantId, count],
  );
  const statements: { sql: string; bindings: unknown[] }[] = [];
  const onQuery = (query: { sql: string; bindings: unknown[] }) => statements.push(query);
  clientele.db.on("query", onQuery);
  await numberEvents(clientele.db, tenantId);
  clientele.db.off("query", onQuery);
  await clientele.db("events").where({ tenant_id: tenantId }).update({ id: null });

  const hold = statements.find(({ sql }) => sql.startsWith("insert into event_logs"))!;
  const number = statements.find(({ sql }) => sql.startsWith("with waiting"))!;
  const client = new pg.Client({ connectionString: clientele.databaseUrl });
  await client.connect();
  await client.query("begin");
  await client.query(hold.sql, hold.bindings);
  const { rows } = await client.query(`explain (analyze, format json) ${number.sql}`, number.bindings);
  await client.end();
  const nodes = nodesOf(rows[0]["QUERY PLAN"][0].Plan);
  const most = Math.max(...nodes.map((node) => node["Actual Rows"] * node["Actual Loops"]));
  expect(most).toBeGreaterThanOrEqual(count);
  expect(most).toBeLessThan(3 * count);
});
