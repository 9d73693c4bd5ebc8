import { type FieldViolation, requiredMessage } from "../rpc/errors.js";
import { type Refusal, refusalFor, refusalOf } from "./refusal.js";

/** The problems of one row, all of which are to be named. */
export class Problems {
  private readonly refusals: Refusal[] = [];
  private readonly misread: string[] = [];

  get count(): number {
    return this.refusals.length;
  }

  /** Notes the fields of the source that are of a wrong kind, and read as absent. */
  addMisread(violations: readonly FieldViolation[]): void {
    this.misread.push(...violations.map(({ field }) => plainName(field)));
    this.add(violations);
  }

  /** Notes the fields that are wrong. */
  add(violations: readonly FieldViolation[]): void {
    if (violations.length > 0) this.refusals.push({ reason: "FIELDS_INVALID", message: "", violations });
  }

  /** Takes a step of the check, and notes why it fails; then there is no result. */
  attempt<Result>(step: () => Result): Result | undefined {
    try {
      return step();
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      this.refusals.push(refusal);
      return undefined;
    }
  }

  /** Throws one refusal that names all problems, if there are any. */
  throwIfAny(): void {
    // The others may quote a card number.
    const cards = this.refusals.filter(isOfCard);
    const told = cards.length > 0 ? cards : this.refusals;
    const [first] = told;
    if (first === undefined) return;
    const violations = new Map<string, FieldViolation>();
    for (const one of told.flatMap((refusal) => refusal.violations)) {
      if (!violations.has(one.field) && !this.isMisread(one)) violations.set(one.field, one);
    }
    const others = told.filter((refusal) => refusal.violations.length === 0).map(({ message }) => message);
    const message = [...new Set([...[...violations.values()].map(inWords), ...others])].join("; ");
    throw refusalFor({ reason: first.reason, message, violations: [...violations.values()] });
  }

  // Of a field of the wrong kind it is said already why there is no value.
  private isMisread({ field, description }: FieldViolation): boolean {
    return description === requiredMessage && this.misread.includes(plainName(field));
  }
}

function isOfCard({ reason }: Refusal): boolean {
  return reason === "CARD_NUMBER_GIVEN";
}

// The last name of a path, as `firstName` and `first_name` have in common.
function plainName(path: string): string {
  return path.replace(/^.*\./, "").replaceAll("_", "").toLowerCase();
}

function inWords({ field, description }: FieldViolation): string {
  return /^[A-Z]/.test(description) ? description : `${field}: ${description}`;
}
