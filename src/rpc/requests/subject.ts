import type { DescMessage } from "@bufbuild/protobuf";
import { leadsTo, oncePerType } from "./plan.js";

/** The id of the subject that a message is about, as its fields with the option `subject` say; undefined if none does. */
export function subjectIn(schema: DescMessage, message: object): string | undefined {
  const { own, nested } = subjectsOf(schema);
  for (const { get } of own) {
    const id = get(message);
    if (typeof id === "string" && id !== "") return id;
  }
  for (const { get, inner } of nested) {
    const value = get(message);
    const id = typeof value === "object" && value !== null ? subjectIn(inner, value) : undefined;
    if (id !== undefined) return id;
  }
  return undefined;
}

// The field nearest to the top decides: a message is its own subject's, whosever data it copies.
const subjectsOf = oncePerType((fields) => ({
  own: fields.filter(({ isSubject }) => isSubject),
  nested: fields.flatMap(({ get, inner, shape }) => {
    const may = inner !== undefined && shape === "single" && leadsTo(inner, ({ isSubject }) => isSubject);
    return may ? [{ get, inner }] : [];
  }),
}));
