import { withoutCardNumbers } from "../formats/card-numbers.js";
import { type FieldViolation, reasonOf, violationsOf } from "../rpc/errors.js";

/** Why a row is not imported. It holds no value of the row. */
export interface Refusal {
  /**
   * A reason of the API's errors, or JSON_INVALID, UTF8_INVALID, LINE_TOO_LONG, NOT_A_CUSTOMER, MODE_MISMATCH,
   * SOURCE_DELETED, ROW_REFUSED.
   */
  readonly reason: string;
  readonly message: string;
  readonly violations: readonly FieldViolation[];
  /** Where the line stops being JSON, from 1 on. */
  readonly column?: number;
}

const refusals = new WeakMap<Error, Refusal>();

/** An error that refuses one row, and not the whole import. A description that is no sentence is led by its field. */
export function refusal(reason: string, text: string, field?: string): Error {
  const description = withoutCardNumbers(text);
  const message = field === undefined || /^[A-Z]/.test(description) ? description : `${field}: ${description}`;
  const error = new Error(message);
  refusals.set(error, { reason, message, violations: field === undefined ? [] : [{ field, description }] });
  return error;
}

/** The problems that an error reports about a row; undefined for an error of another kind. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error)) return undefined;
  // The stack is too small for it.
  if (error instanceof RangeError)
    return { reason: "JSON_INVALID", message: "The line is nested too deeply.", violations: [] };
  const reason = reasonOf(error);
  if (reason === undefined) return refusals.get(error);
  const message = "rawMessage" in error ? String(error.rawMessage) : error.message;
  return { reason, message, violations: violationsOf(error) };
}

/** The error of JSON that breaks off, at a column from 1 on. */
export function brokenJson(column: number): Error {
  const message = `The line is not JSON: it breaks off at column ${column}.`;
  return refusalFor({ reason: "JSON_INVALID", message, violations: [], column });
}

/** A refusal of one object of a line that holds several: its path leads the fields and the message. */
export function refusalAt(place: string, { message, violations, ...rest }: Refusal): Refusal {
  if (place === "") return { message, violations, ...rest };
  const violationsAt = violations.map(({ field, description }) => ({ field: `${place}.${field}`, description }));
  return { ...rest, message: `${place}: ${message}`, violations: violationsAt };
}

/** The error of a row with problems of several kinds. */
export function refusalFor(found: Refusal): Error {
  const message = withoutCardNumbers(found.message);
  const error = new Error(message);
  refusals.set(error, { ...found, message });
  return error;
}
