import { TextKind } from "../../../gen/clientele/options/v1/options_pb.js";
import { holdsCardNumber, isCardNumber, isCardNumberAsPhone } from "../../formats/card-numbers.js";
import { type FieldViolation, invalidFields } from "../errors.js";
import type { FieldPlan } from "./plan.js";

/** Refuses a text that is no field of a message, such as a header field. Throws INVALID_ARGUMENT, reason CARD_NUMBER_GIVEN. */
export function refuseCardNumber(text: string, field: string): void {
  if (holdsCardNumber(text)) throw cardNumberGiven([field]);
}

/** The error for texts that hold the number of a payment card. It names their paths, at most a hundred. */
export function cardNumberGiven(paths: readonly string[]) {
  const description = "must not hold the number of a payment card";
  return invalidFields(
    paths.slice(0, 100).map((field): FieldViolation => ({ field, description })),
    "CARD_NUMBER_GIVEN",
  );
}

/** Which texts are refused in a field; undefined for none: a secret is hashed, or forgotten with the call. */
export function cardRuleOf({ isSecret, textKind }: FieldPlan): ((text: string) => boolean) | undefined {
  return isSecret ? undefined : rules[textKind];
}

// One of a numbered row goes on with the number and a mark. The number leaves no place for that of a card.
const generatedId = /^[a-z]+_[0-7][0-9a-hjkmnp-tv-z]{25}(0{5}\d{11}[0-9a-v]{8})?$/;

const rules: Readonly<Record<TextKind, ((text: string) => boolean) | undefined>> = {
  [TextKind.UNSPECIFIED]: holdsCardNumber,
  [TextKind.FREE]: holdsCardNumber,
  [TextKind.GENERATED]: isCardNumber,
  [TextKind.REFERENCE]: (text) => !generatedId.test(text) && holdsCardNumber(text),
  [TextKind.PHONE]: isCardNumberAsPhone,
  [TextKind.FILTER]: isRefusedAsFilter,
  [TextKind.VERIFIED]: undefined,
};

const phoneClause = /\(\s*phone\s*,([^()]*)\)/g;

// A filter compares telephone numbers, as in `eq(phone,+4915112345678)`.
function isRefusedAsFilter(text: string): boolean {
  const phones = [...text.matchAll(phoneClause)].flatMap(([, operands = ""]) => operands.split(","));
  if (phones.some((phone) => isCardNumberAsPhone(phone.replaceAll('"', "")))) return true;
  return holdsCardNumber(text.replaceAll(phoneClause, "(phone)"));
}
