import type { FieldViolation } from "../errors.js";

/** The faults of a request that one walk over it finds. */
export interface Findings {
  /** Paths of texts that hold the number of a payment card. */
  readonly cards: string[];
  /** Values that Postgres cannot store as they are. */
  readonly faults: FieldViolation[];
}

/** Why Postgres cannot store a text as it is: a NUL is an error there, and a lone surrogate would be replaced silently. */
export function textFault(text: string): string | undefined {
  if (text.includes("\0")) return "must not contain a NUL character";
  return text.isWellFormed() ? undefined : "must be well-formed Unicode";
}
