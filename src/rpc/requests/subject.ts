import type { DescMessage } from "@bufbuild/protobuf";
import { fieldsOf, leadsTo, oncePerType } from "./plan.js";

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

/** The id of the resource that an answer carries; undefined if it carries none. */
export function resourceIn(schema: DescMessage, message: object): string | undefined {
  for (const { get, identify } of resourcesOf(schema)) {
    const resource = get(message);
    const id = typeof resource === "object" && resource !== null ? identify(resource) : undefined;
    if (typeof id === "string" && id !== "") return id;
  }
  return undefined;
}

const resourcesOf = oncePerType((fields) =>
  fields.flatMap(({ get, inner, shape }) => {
    const identifier = inner !== undefined && shape === "single" && fieldsOf(inner).find((one) => one.isIdentifier);
    return identifier ? [{ get, identify: identifier.get }] : [];
  }),
);
