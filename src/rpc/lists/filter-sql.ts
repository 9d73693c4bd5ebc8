import type { Knex } from "knex";
import type { Clause, Filter, Member } from "./filter-clause.js";
import { boundOf, likeParts, meaningsOf } from "./filter-values.js";

interface Condition {
  readonly sql: string;
  readonly bindings: readonly Knex.Value[];
}

const comparisons = { gt: ">", ge: ">=", lt: "<", le: "<=" } as const;
const parameters = { text: "?::text", timestamp: "?::timestamptz", boolean: "?::boolean", enum: "?::text" } as const;

/**
 * Narrows a query to the rows that a filter holds for. `columns` gives the SQL of each field, such as
 * `things.name`: a column, or an expression that can stand before an operator; of a map or a record, a column of jsonb.
 */
export function applyFilter<Query extends Knex.QueryBuilder>(
  query: Query,
  { clauses }: Filter,
  columns: Readonly<Record<string, string>>,
): Query {
  for (const clause of clauses) {
    const column = columns[clause.name];
    if (column === undefined) throw new Error(`No column is given for the field ${clause.name}.`);
    const { sql, bindings } = conditionOf(clause, column);
    query.whereRaw(`(${sql})`, [...bindings]);
  }
  return query;
}

function conditionOf(clause: Clause, column: string): Condition {
  if (clause.field.type === "map") return ofKey(clause, column);
  return clause.field.type === "member" ? ofMember(clause, clause.field, column) : ofColumn(clause, column);
}

function ofColumn(clause: Clause, column: string): Condition {
  const { operator, field, operands } = clause;
  if (field.type === "record" || field.type === "member") throw new Error(`${clause.name} is no column.`);
  const folded = field.type === "text" && field.caseInsensitive === true;
  const inCase = (sql: string) => (folded ? `lower(${sql})` : sql);
  const parameter = inCase(field.type === "map" ? "?" : parameters[field.type]);
  const values = operands.map(({ value }) => value);
  switch (operator) {
    case "is_null":
      return { sql: `${column} is null`, bindings: [] };
    case "eq":
    case "in":
      return { sql: `${inCase(column)} in (${values.map(() => parameter).join(", ")})`, bindings: values };
    case "like":
      return like(column, clause);
    default: {
      const bytewise = field.type === "text" ? ' collate "C"' : "";
      return { sql: `${inCase(column)}${bytewise} ${comparisons[operator]} ${parameter}`, bindings: values };
    }
  }
}

function ofKey(clause: Clause, column: string): Condition {
  const { operator, key = "", operands } = clause;
  const [json, text] = [`(${column} -> ?::text)`, `(${column} ->> ?::text)`];
  const isOf = (type: "string" | "number") => `jsonb_typeof(${json}) = '${type}'`;
  const meanings = operands.flatMap((operand) => meaningsOf(clause, operand));
  switch (operator) {
    case "is_null":
      return { sql: `${text} is null`, bindings: [key] };
    // An index of the whole object could answer this form.
    case "eq":
      return {
        sql: meanings.map(() => `${column} @> ?::jsonb`).join(" or "),
        bindings: meanings.map((value) => JSON.stringify({ [key]: value })),
      };
    case "in":
      return {
        sql: `${json} in (${meanings.map(() => "?::jsonb").join(", ")})`,
        bindings: [key, ...meanings.map((value) => JSON.stringify(value))],
      };
    case "like": {
      const { sql, bindings } = like(text, clause);
      return { sql: `${isOf("string")} and ${sql}`, bindings: [key, key, ...bindings] };
    }
    default: {
      const [bound = ""] = operands.map((operand) => boundOf(clause, operand));
      const comparison = comparisons[operator];
      return typeof bound === "number"
        ? { sql: `${isOf("number")} and ${json} ${comparison} ?::jsonb`, bindings: [key, key, JSON.stringify(bound)] }
        : { sql: `${isOf("string")} and ${text} collate "C" ${comparison} ?::text`, bindings: [key, key, bound] };
    }
  }
}

function ofMember(clause: Clause, { of, key }: Member, column: string): Condition {
  const { operator, operands } = clause;
  const [json, text] = [`(${column} -> ?::text)`, `(${column} ->> ?::text)`];
  const values = operands.map(({ value }) => value);
  switch (operator) {
    case "is_null":
      return { sql: `${text} is null`, bindings: [key] };
    // An index of the whole object answers this form.
    case "eq":
    case "in":
      return {
        sql: values.map(() => `${column} @> ?::jsonb`).join(" or "),
        bindings: values.map((value) => JSON.stringify({ [key]: value })),
      };
    case "like": {
      const { sql, bindings } = like(text, clause);
      return { sql, bindings: [key, ...bindings] };
    }
    default: {
      const comparison = comparisons[operator];
      const bindings = [key, ...values.map((value) => (of === "number" ? JSON.stringify(value) : value))];
      return of === "number"
        ? { sql: `${json} ${comparison} ?::jsonb`, bindings }
        : { sql: `${text} collate "C" ${comparison} ?::text`, bindings };
    }
  }
}

// Both sides are folded by the database, so that they fold alike.
function like(column: string, { operands }: Clause): Condition {
  const parts = operands.flatMap(({ text }) => likeParts(text));
  const pattern = parts.map(() => "literal_pattern(?::text)").join(" || '%' || ");
  return { sql: `fold_text(${column}) like ${pattern}`, bindings: parts };
}
