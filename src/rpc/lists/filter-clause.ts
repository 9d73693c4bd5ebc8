export const operators = ["eq", "like", "in", "gt", "ge", "lt", "le", "is_null"] as const;

/**
 * The kind of a field: a text, a timestamp, a boolean, one of several values as spelled and as stored, a JSON object, or a
 * JSON object whose members are known, with their types.
 */
export type Field =
  | { readonly type: "text"; readonly caseInsensitive?: boolean; readonly normal?: Normal }
  | { readonly type: "timestamp" | "boolean" | "map" }
  | { readonly type: "enum"; readonly values: Readonly<Record<string, string>> }
  | { readonly type: "record"; readonly members: Readonly<Record<string, Member>> }
  | Member;

/** How a whole value is stored, in place of the way it is typed; undefined for what is no whole value. */
type Normal = (text: string) => string | undefined;

/** A member of a JSON object: its type, and the key that it is stored by. Any value that is stored has the type. */
export interface Member {
  readonly type: "member";
  readonly of: "text" | "number" | "boolean" | "day";
  readonly key: string;
}

/** The fields that a filter may name. Each key of a map is one, `metadata.color`, and each member of a record. */
export type Fields = Readonly<Record<string, Field>>;

/** Holds for the rows for which every clause does. */
export interface Filter {
  readonly clauses: readonly Clause[];
}

/** One comparison, such as `eq(email,ron@example.com)`. */
export interface Clause {
  readonly operator: Operator;
  readonly name: string;
  readonly field: Field;
  /** Of a map or a record: the key that is compared, as it is named. */
  readonly key?: string;
  readonly operands: readonly Operand[];
}

export interface Operand {
  readonly text: string;
  /** The text's value for the field. In a map a bare number or boolean means both itself and its text. */
  readonly value: string | number | boolean;
}

export type Operator = (typeof operators)[number];
