import { createContextKey, type Interceptor } from "@connectrpc/connect";
import { rpcError } from "../errors.js";
import { type Caller, callerKey } from "./caller.js";

/** From where pages may call. */
export interface Origins {
  /** Origins of the deployment, such as its console. They may call for every tenant, with a secret key too. */
  readonly ofDeployment: readonly string[];
  /** Origins that a tenant lists, for publishable keys and customer tokens. The list may be 5 s old. */
  readonly ofTenant: (tenantId: string) => Promise<readonly string[]>;
  /** Where clients reach the service itself. */
  readonly publicUrl: () => string;
}

/** Whether the page that called must not read the answer; the listener looks at it when there is one. */
export const unreadableKey = createContextKey(false);

/**
 * Refuses calls from pages of origins that are not allowed, and keeps every answer from them. What is sent without an
 * Origin comes from no page of another site: an app, a server.
 */
export function originInterceptor({ ofDeployment, ofTenant, publicUrl }: Origins): Interceptor {
  const deploymentOrigins = new Set(ofDeployment);
  return (next) => async (req) => {
    const origin = req.header.get("origin");
    if (origin === null || deploymentOrigins.has(origin) || isOwn(origin, req.header)) return await next(req);
    const caller = req.contextValues.get(callerKey);
    if (caller !== undefined && (await isListed(origin, caller))) return await next(req);
    req.contextValues.set(unreadableKey, true);
    // Of a public method the answer is anybody's but that page's, which would look into a network through a browser.
    if (caller === undefined) return await next(req);
    throw rpcError("ORIGIN_NOT_ALLOWED", messageFor(caller));
  };

  // Browsers say of a page whether it is the service's own, and let no page say it.
  function isOwn(origin: string, header: Headers): boolean {
    return header.get("sec-fetch-site") === "same-origin" || origin === new URL(publicUrl()).origin;
  }

  // A secret key in a page is every visitor's: it is refused, so that this is found before it is published.
  async function isListed(origin: string, { kind, tenantId }: Caller): Promise<boolean> {
    return kind !== "secret_key" && (await ofTenant(tenantId)).includes(origin);
  }
}

function messageFor({ kind }: Caller): string {
  return kind === "secret_key"
    ? "A secret key belongs on servers: a page calls with a publishable key or a customer token."
    : "The origin of the calling page is not among the allowed_origins of the account settings.";
}
