import { type WebhookEndpoint, WebhookEndpointSchema } from "../../../gen/clientele/v1/webhooks_pb.js";
import type { WebhookSender } from "../../external/webhook-sender.js";
import { invalidField, refused } from "../../rpc/errors.js";
import { requireValid } from "../../rpc/requests/validate.js";

/** How many endpoints a tenant may have. */
export const maxEndpoints = 20;

/** Throws INVALID_ARGUMENT unless events may be posted to an address. It may look up a name, so not in a transaction. */
export async function requirePostable(sender: WebhookSender, url: string): Promise<void> {
  const problem = await sender.problemOf(url);
  if (problem !== undefined) throw invalidField("endpoint.url", problem);
}

/** The endpoint as it will be stored. Throws INVALID_ARGUMENT unless it keeps its contract. */
export function validEndpoint(given: WebhookEndpoint): WebhookEndpoint {
  requireValid(WebhookEndpointSchema, given, "endpoint");
  return given;
}

/** The key that secrets follow from. Throws FAILED_PRECONDITION where the deployment has none. */
export function requireSecretKey(secretKey: Buffer | undefined): Buffer {
  if (secretKey !== undefined) return secretKey;
  throw refused("SECRET_KEY_MISSING", "Webhooks need CLIENTELE_SECRET_KEY in the configuration of the service.");
}
