import { beforeAll, expect, test } from "vitest";
import { belongings } from "../../../src/resources/privacy/belongings.js";
import { impersonal } from "../../../src/resources/privacy/impersonal.js";
import { personal } from "../../../src/resources/privacy/manifest.js";
import { useClientele } from "../../support/clientele.js";

interface Column {
  readonly table: string;
  readonly column: string;
  readonly type: string;
}

let schema: readonly Column[];
const clientele = useClientele();
beforeAll(async () => {
  const { rows } = await clientele.db.raw(
    `select table_name as table, column_name as column, data_type as type
     from information_schema.columns where table_schema = 'public' and table_name not like 'knex%'
     order by table_name, ordinal_position`,
  );
  schema = rows;
});

// What cannot hold a word or a birthday. Everything else is text, JSON, bytes, lists and dates.
const harmless = ["bigint", "integer", "smallint", "boolean", "timestamp with time zone", "xid8"];

const named = personal.flatMap(({ table, shown, hidden }) => [...shown, ...hidden].map((name) => `${table}.${name}`));

function isImpersonal({ table, column }: Column): boolean {
  const own = Object.hasOwn(impersonal, table) && Object.hasOwn(impersonal[table]!, column);
  return own || Object.hasOwn(impersonal["*"]!, column);
}

test("every column that can hold a personal value is listed as personal, or as impersonal with a reason", () => {
  const candidates = schema.filter(({ type }) => !harmless.includes(type));
  expect(candidates.length).toBeGreaterThan(60);
  const unlisted = candidates.filter((one) => !named.includes(`${one.table}.${one.column}`) && !isImpersonal(one));
  expect(unlisted.map(({ table, column }) => `${table}.${column}`)).toEqual([]);
});

test("every listed column exists, and stands in one of the two lists", () => {
  const present = schema.map(({ table, column }) => `${table}.${column}`);
  const { "*": common, ...own } = impersonal;
  const innocent = Object.entries(own).flatMap(([table, columns]) =>
    Object.keys(columns).map((name) => `${table}.${name}`),
  );
  const known = (name: string) => present.includes(name);
  expect([...named, ...innocent].filter((name) => !known(name))).toEqual([]);
  expect(Object.keys(common!).filter((name) => !schema.some(({ column }) => column === name))).toEqual([]);
  expect(named.filter((name) => innocent.includes(name))).toEqual([]);
  expect(named.filter((name, at) => named.indexOf(name) !== at)).toEqual([]);
});

test("every reason is given", () => {
  const reasons = Object.values(impersonal).flatMap((columns) => Object.values(columns));
  expect(reasons.filter((reason) => reason.length < 10)).toEqual([]);
});

test.for(personal)("$table names columns of its own for the customer and for what is written", (rows) => {
  const own = schema.filter(({ table }) => table === rows.table).map(({ column }) => column);
  expect(rows.customer.length).toBeGreaterThan(0);
  const whose = rows.customer.map((expression) => /^\w+/.exec(expression)![0]);
  expect(own).toEqual(expect.arrayContaining([...whose, ...Object.keys({ ...rows.cleared, ...rows.also })]));
});

test("a table that names a customer and holds anything of a person stands in the manifest", () => {
  const tables = personal.map(({ table }) => table);
  const ofCustomers = schema.filter(({ column }) => column === "customer_id").map(({ table }) => table);
  const beside = ["events", "erasures"];
  expect(ofCustomers.filter((table) => !tables.includes(table) && !beside.includes(table))).toEqual([]);
});

test("every table that names a customer stands among its belongings", () => {
  const ofCustomers = schema.filter(({ column }) => column === "customer_id").map(({ table }) => table);
  expect(Object.keys(belongings).sort()).toEqual([...new Set(ofCustomers)].sort());
});
