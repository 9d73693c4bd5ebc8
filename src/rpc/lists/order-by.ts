import { invalidField } from "../errors.js";

/** A column to order by. Null counts as the largest value: last when ascending, first when descending. */
export interface OrderTerm {
  readonly column: string;
  readonly descending: boolean;
  readonly nullable: boolean;
  /** Whether the column holds a text of any length: only its first 100 characters count. */
  readonly isText?: true;
  /** The member of a JSON object that is ordered by, instead of the column of that name. */
  readonly member?: OrderMember;
}

/** A member of a column of jsonb, by the key that it is stored by. */
export interface OrderMember {
  readonly column: string;
  readonly of: "text" | "number" | "boolean" | "day";
  readonly key: string;
}

/** The fields that a list may be ordered by, named as their columns are unless they are members of one. */
export type OrderFields = Readonly<Record<string, Pick<OrderTerm, "nullable" | "isText" | "member">>>;

const maxTerms = 3;

/**
 * Reads an order such as `update_time desc, email` (AIP-132): at most three fields, each once, ascending unless `desc`
 * follows. An empty text is no order. Throws INVALID_ARGUMENT, reason ORDER_BY_INVALID, for the field `order_by`.
 */
export function parseOrderBy(text: string, fields: OrderFields): OrderTerm[] {
  if (text.trim() === "") return [];
  const parts = text.split(",", maxTerms + 1);
  if (parts.length > maxTerms) throw invalid(`names more than ${maxTerms} fields`);
  const terms = parts.map((part, index) => termOf(part, index + 1, fields));
  if (new Set(terms.map(({ column }) => column)).size < terms.length) throw invalid("names a field twice");
  return terms;
}

function termOf(part: string, place: number, fields: OrderFields): OrderTerm {
  const [column = "", direction = "asc", ...rest] = part.trim().split(/\s+/, 3);
  const field = Object.hasOwn(fields, column) ? fields[column] : undefined;
  if (field === undefined) throw invalid(`term ${place} is none of ${namesOf(fields).join(", ")}`);
  if (rest.length > 0 || !["asc", "desc"].includes(direction)) {
    throw invalid(`term ${place} must be a field, or a field and desc`);
  }
  return { column, descending: direction === "desc", ...field };
}

// There may be a hundred members.
function namesOf(fields: OrderFields): string[] {
  return [...new Set(Object.keys(fields).map((name) => name.replace(/\..*/, ".<slug>")))];
}

function invalid(description: string) {
  return invalidField("order_by", description, "ORDER_BY_INVALID");
}
