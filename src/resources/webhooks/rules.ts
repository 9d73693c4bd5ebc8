import { type WebhookEndpoint, WebhookEndpointSchema } from "../../../gen/clientele/v1/webhooks_pb.js";
import type { WebhookSender } from "../../external/webhook-sender.js";
import { invalidField, refused } from "../../rpc/errors.js";
import { requireValid } from "../../rpc/requests/validate.js";

/** The most endpoints of one tenant. */
export const maxEndpoints = 20;

/** Throws INVALID_ARGUMENT unless events may be posted to an address. It may resolve a name: call it outside of a transaction. */
export async function requirePostable(sender: WebhookSender, url: string): Promise<void> {
  const problem = await sender.problemOf(url);
  if (problem !== undefined) throw invalidField("webhook_endpoint.url", problem);
}

/** The endpoint itself. Throws INVALID_ARGUMENT if a field breaks its rule. */
export function validEndpoint(given: WebhookEndpoint): WebhookEndpoint {
  requireValid(WebhookEndpointSchema, given, "webhook_endpoint");
  return given;
}

/** The key that secrets are derived from. Throws FAILED_PRECONDITION if the deployment has none. */
export function requireSecretKey(secretKey: Buffer | undefined): Buffer {
  if (secretKey !== undefined) return secretKey;
  throw refused("SECRET_KEY_MISSING", "Webhooks need CLIENTELE_SECRET_KEY in the configuration of the service.");
}
