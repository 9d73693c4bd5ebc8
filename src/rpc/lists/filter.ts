import { rpcError } from "../errors.js";
import {
  type Clause,
  type Field,
  type Fields,
  type Filter,
  type Member,
  type Operand,
  type Operator,
  operators,
} from "./filter-clause.js";
import { valueIn } from "./filter-values.js";

const ordered = ["eq", "in", "gt", "ge", "lt", "le", "is_null"] as const;
const listed = ["eq", "in", "is_null"] as const;
const operatorsOf: Record<Field["type"] | Member["of"], readonly Operator[]> = {
  text: operators,
  timestamp: ordered,
  day: ordered,
  number: ordered,
  boolean: listed,
  enum: listed,
  map: operators,
  // Of the member.
  record: operators,
  member: operators,
};
const maxClauses = 10;
const maxBytes = 8192;

/**
 * Reads a filter. An empty text is no filter; everywhere else spaces between the parts do not count.
 *
 *     filter   = clause *9(":" clause)                  all of them hold
 *     clause   = operator "(" field *("," value) ")"    one value; for in one or more, for is_null none
 *     field    = name / name "." value                  the second for the key of a map
 *     value    = bare / quoted
 *     bare     = 1*(any character but "," and ")")      without spaces around it, not beginning with a quotation mark
 *     quoted   = DQUOTE *(any character, but \" for a quotation mark and \\ for a backslash) DQUOTE
 *
 * Throws INVALID_ARGUMENT, reason FILTER_INVALID, which says where and why, and repeats no values.
 */
export function parseFilter(text: string, fields: Fields): Filter {
  if (text === "") return { clauses: [] };
  if (Buffer.byteLength(text) > maxBytes) throw invalid(`is longer than ${maxBytes} bytes`);
  const unkept = text.search(/\0|\p{Surrogate}/u);
  const input = inputOf(text);
  if (unkept >= 0) throw input.wrong("this character cannot be stored", unkept);
  const clauses: Clause[] = [];
  do {
    if (clauses.length === maxClauses) throw input.wrong(`more than ${maxClauses} clauses`);
    clauses.push(readClause(input, fields));
  } while (input.take(/:/y) !== undefined);
  if (input.at() < text.length) throw input.wrong('expected ":" and another clause, or the end');
  return { clauses };
}

function readClause(input: Input, fields: Fields): Clause {
  const start = input.at();
  const given = input.take(/[a-z_]+/y);
  const operator = operators.find((name) => name === given);
  if (operator === undefined) throw input.wrong(`expected an operator: ${operators.join(", ")}`, start);
  input.require(/\(/y, '"("');
  const at = input.at();
  const name = input.take(/[a-z][a-z0-9_]*/y) ?? "";
  const named = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (named === undefined) throw input.wrong("there is no such field", at);
  const keyed = named.type === "map" || named.type === "record";
  if (keyed) input.require(/\./y, `"." and a key of ${name}`);
  const key = keyed ? { key: readValue(input).text } : {};
  const field = named.type === "record" ? memberOf(named.members, key.key) : named;
  if (field === undefined) throw input.wrong("there is no such field", at);
  if (!operatorsOf[field.type === "member" ? field.of : field.type].includes(operator)) {
    throw input.wrong(`${operator} does not go with ${name}`, start);
  }
  const most = operator === "is_null" ? 0 : operator === "in" ? maxBytes : 1;
  const operands: Operand[] = [];
  while (input.take(/,/y) !== undefined) {
    const valueAt = input.at();
    if (operands.length === most) throw input.wrong(`too many values for ${operator}`);
    const { text, quoted } = readValue(input);
    const value = valueIn(field, text, quoted);
    if (value === undefined) throw input.wrong(`expected ${wantedBy(field)}`, valueAt);
    operands.push({ text, value });
  }
  if (operands.length < Math.min(most, 1)) throw input.wrong('expected "," and a value');
  input.require(/\)/y, '"," or ")"');
  return { operator, name, field, ...key, operands };
}

function memberOf(members: Readonly<Record<string, Member>>, key = ""): Member | undefined {
  return Object.hasOwn(members, key) ? members[key] : undefined;
}

function wantedBy(field: Field): string {
  if (field.type === "member" && field.of === "number") return "a number";
  if (field.type === "member" && field.of === "day") return "a day such as 2026-02-28";
  if (field.type === "member") return "true or false";
  if (field.type === "enum") return `one of ${Object.keys(field.values).join(", ")}`;
  return field.type === "boolean" ? "true or false" : "a time such as 2026-01-01T00:00:00Z";
}

const bare = /[^ ,)"](?:[^,)]*[^ ,)])?/y;

function readValue(input: Input): { text: string; quoted: boolean } {
  const quoted = input.take(/"(?:[^"\\]|\\["\\])*"/y);
  if (quoted !== undefined) return { text: quoted.slice(1, -1).replace(/\\(.)/g, "$1"), quoted: true };
  return {
    text: input.require(bare, 'a value; quoted it ends with ", and \\ goes before " and \\ only'),
    quoted: false,
  };
}

/** A text that `parseFilter` reads as the same filter. */
export function printFilter({ clauses }: Filter): string {
  return clauses
    .map(({ operator, name, key, field, operands }) => {
      const path = key === undefined ? name : `${name}.${isBare(key) ? key : quote(key)}`;
      const values = operands.map(({ text, value }) =>
        isBare(text) && valueIn(field, text, false) === value ? text : quote(text),
      );
      return `${operator}(${[path, ...values].join(",")})`;
    })
    .join(":");
}

function isBare(text: string): boolean {
  bare.lastIndex = 0;
  return bare.exec(text)?.[0] === text;
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** A text being read. Spaces before a part are passed over. */
interface Input {
  /** The index of the next part. */
  at(): number;
  /** Passes over what a sticky pattern matches next, and returns it. */
  take(pattern: RegExp): string | undefined;
  require(pattern: RegExp, what: string): string;
  /** The error to throw, with the place: the next part unless another is given. */
  wrong(why: string, at?: number): Error;
}

function inputOf(text: string): Input {
  let index = 0;
  const input: Input = {
    at() {
      while (text[index] === " ") index++;
      return index;
    },
    take(pattern) {
      pattern.lastIndex = input.at();
      const match = pattern.exec(text)?.[0];
      index += match?.length ?? 0;
      return match;
    },
    require(pattern, what) {
      const match = input.take(pattern);
      if (match === undefined) throw input.wrong(`expected ${what}`);
      return match;
    },
    wrong: (why, at = input.at()) => invalid(`at character ${[...text.slice(0, at)].length + 1}: ${why}`),
  };
  return input;
}

function invalid(description: string) {
  const violations = [{ field: "filter", description }];
  return rpcError("FILTER_INVALID", "Could not parse the supplied filter", { violations });
}
