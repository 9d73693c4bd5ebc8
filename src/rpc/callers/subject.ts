import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/**
 * The id of the customer that a request or an answer is about, by the names of the contract: a `customer_id`, the `id` of
 * a `customer`, or of a request such as DeleteCustomerRequest. Undefined if it names none.
 */
export function customerIn(schema: DescMessage, message: Message): string | undefined {
  const own = /^[A-Z][a-z]+CustomerRequest$/.test(schema.name) ? ["id", "customer_id"] : ["customer_id"];
  return namedIn(reflect(schema, message), own);
}

// What is nearer to the top decides: a checkout is its customer's, whosever address it copies.
function namedIn(message: ReflectMessage, names: readonly string[]): string | undefined {
  const isNamed = (field: DescField) => names.includes(field.name) && field.fieldKind === "scalar";
  const named = message.fields.filter((field) => isNamed(field) && message.get(field) !== "");
  const [first] = named.map((field) => String(message.get(field)));
  if (first !== undefined) return first;
  for (const field of message.fields) {
    if (field.fieldKind !== "message" || !message.isSet(field)) continue;
    const inner = namedIn(message.get(field), field.name === "customer" ? ["id"] : ["customer_id"]);
    if (inner !== undefined) return inner;
  }
  return undefined;
}
