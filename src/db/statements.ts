import { createHash } from "node:crypto";
import knex, { type Knex } from "knex";
import pg from "pg";

/** A query as the driver runs it, with its parameters as `$1`. */
interface Text {
  readonly sql: string;
  readonly bindings: readonly unknown[];
}

/** The part of a Knex client that runs a query. */
export interface StatementClient extends Knex.Client {
  _query(connection: unknown, query: Text & { readonly name?: string }): Promise<{ response: { rows: unknown[] } }>;
}

/** A query that is built once, with the values it is given each time. */
export type Statement<Row, Values> = (db: Knex, given: Values) => Promise<Row[]>;

// Knex as a builder alone: it never connects.
const builder = knex({ client: "pg" });

// A place in the text where a value goes.
class Parameter {
  constructor(readonly name: string) {}
}

/**
 * Defines a statement that `build` makes at its first use; then it runs by its name, and Knex does nothing. The properties
 * of `given` are places for values while it is built: `build` may bind them, and must not look into them.
 *
 * ```ts
 * const findThing = defineStatement<ThingRow, { id: string }>((db, { id }) => db("things").where({ id }));
 * const [thing] = await findThing(call.db, { id: "t1" });
 * ```
 */
export function defineStatement<Row, Values extends object>(
  build: (db: Knex, given: Values) => Knex.QueryBuilder | Knex.Raw,
): Statement<Row, Values> {
  let built: { readonly sql: string; readonly name: string; readonly values: readonly unknown[] } | undefined;
  return async (db, given) => {
    built ??= builtBy(build);
    const { sql, name, values } = built;
    const bindings = values.map((value) => (value instanceof Parameter ? Reflect.get(given, value.name) : value));
    return (await run(db, { sql, bindings, name })) as Row[];
  };
}

const mostShapes = 200;

/**
 * Keeps the statements of a query whose text depends on what is asked for, by a `shape` that tells the texts apart. Only
 * the first shapes are kept; the others are built anew each time.
 */
export function createShapes<Row, Values extends object>() {
  const statements = new Map<string, Statement<Row, Values>>();
  return (shape: string, build: (db: Knex, given: Values) => Knex.QueryBuilder | Knex.Raw): Statement<Row, Values> => {
    const cachedStatement = statements.get(shape);
    if (cachedStatement !== undefined) return cachedStatement;
    const statement = defineStatement<Row, Values>(build);
    if (statements.size < mostShapes) statements.set(shape, statement);
    return statement;
  };
}

function builtBy<Values extends object>(build: (db: Knex, given: Values) => Knex.QueryBuilder | Knex.Raw) {
  const places = new Proxy({}, { get: (_, name) => new Parameter(String(name)) }) as Values;
  const { sql, bindings } = build(builder, places).toSQL().toNative();
  return { sql, name: nameOf(sql), values: bindings as readonly unknown[] };
}

async function run(db: Knex, query: Text & { readonly name: string }): Promise<unknown[]> {
  const client: StatementClient = db.client;
  if (db.isTransaction && (db as Knex.Transaction).isCompleted()) throw new Error("The transaction has ended.");
  const connection = await client.acquireConnection();
  try {
    return (await client._query(connection, query)).response.rows;
  } finally {
    client.releaseConnection(connection);
  }
}

const mostNames = 500;

/**
 * Names the texts of queries that are built anew each time, so that Postgres parses each once per connection. Only the
 * first texts are named, so that SQL built from input cannot fill the server's memory.
 */
export function createNames(): (query: {
  readonly sql: string;
  readonly bindings?: readonly unknown[];
}) => string | undefined {
  const names = new Map<string, string>();
  return ({ sql, bindings }) => {
    const cachedName = names.get(sql);
    if (cachedName !== undefined || names.size >= mostNames) return cachedName;
    const several = sql.includes(";") && (bindings === undefined || bindings.length === 0);
    if (several || !/^\s*(select|insert|update|delete|with|merge|values)\b/i.test(sql)) return undefined;
    const name = nameOf(sql);
    names.set(sql, name);
    return name;
  };
}

function nameOf(sql: string): string {
  return createHash("sha256").update(sql).digest("base64url").slice(0, 22);
}

const { builtins } = pg.types;
const textArray = 1009;
/** Types that would lose something in pg's own parsers, and the type whose parser is used for them. */
const readAs = new Map<number, number>([
  [builtins.DATE, builtins.TEXT],
  [builtins.TIMESTAMP, builtins.TEXT],
  [builtins.NUMERIC, builtins.TEXT],
  [1182, textArray], // date[]
  [1115, textArray], // timestamp[]
  [1231, textArray], // numeric[]
]);

type Parse = (text: string) => unknown;

const parsers = new Map<number, Parse>([[builtins.INT8, safeInteger]]);

/** How a value of a type is read from its text. */
export function parserOf(oid: number): Parse {
  const cachedParser = parsers.get(oid);
  if (cachedParser !== undefined) return cachedParser;
  const parse: Parse = pg.types.getTypeParser(readAs.get(oid) ?? oid, "text");
  parsers.set(oid, parse);
  return parse;
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError("a bigint is beyond the safe integers");
  return value;
}
