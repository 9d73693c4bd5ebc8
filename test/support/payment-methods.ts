import { randomBytes } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PaymentMethod, PaymentMethodSchema } from "../../gen/clientele/v1/payment_methods_pb.js";
import type { Clients } from "./clientele.js";

/** A token that was never used. With `expired` or `unknown` in it the sandbox vault knows it as that. */
export function newToken(kind = "card"): string {
  // Letters alone cannot look like the number of a card.
  const letters = Array.from(randomBytes(16), (byte) => "abcdefghijklmnop"[byte % 16]).join("");
  return `cct_sandbox_${kind}_${letters}`;
}

/** Attaches a token that was never used. */
export async function attachPaymentMethod(
  { paymentMethods }: Clients,
  customerId: string,
  overrides: MessageInitShape<typeof PaymentMethodSchema> = {},
): Promise<PaymentMethod> {
  const answer = await paymentMethods.attachPaymentMethod({
    customerId,
    paymentMethod: { id: newToken(), ...overrides },
  });
  return answer.paymentMethod!;
}
