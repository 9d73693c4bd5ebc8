import { clearField, type DescMessage } from "@bufbuild/protobuf";
import { leadsTo, oncePerType } from "./plan.js";

/** Whether a message of a type may hold a secret: a field marked debug_redact, in messages of the message too. */
export const mayHoldSecrets = oncePerType((_, schema) => leadsTo(schema, ({ isSecret }) => isSecret));

/** Clears the secrets of a message, because what is shown once is not stored. */
export function clearSecrets(schema: DescMessage, message: object): void {
  for (const { field, get, inner, isSecret } of secretFields(schema)) {
    if (isSecret) clearField(message as never, field);
    else if (inner !== undefined) for (const value of messagesIn(get(message))) clearSecrets(inner, value);
  }
}

const secretFields = oncePerType((fields) =>
  fields.filter(({ inner, isSecret }) => isSecret || (inner !== undefined && mayHoldSecrets(inner))),
);

function messagesIn(value: unknown): readonly object[] {
  return Array.isArray(value) ? value : typeof value === "object" && value !== null ? [value] : [];
}
