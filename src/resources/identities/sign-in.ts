import type { AuthorizationCode } from "../../../gen/clientele/v1/customer_tokens_pb.js";
import type { Deps } from "../../deps.js";
import { Unreachable } from "../../external/http-json.js";
import { type Identity, NotConfirmed } from "../../external/identity-provider.js";
import type { Call, TransactionCall } from "../../rpc/callers/caller.js";
import { transact } from "../../rpc/calls/transaction.js";
import { conflict, invalidField, reasonOf, refused, rpcError, unavailable, violationsOf } from "../../rpc/errors.js";
import type { NewId } from "../../rpc/ids.js";
import type { TenantSettings } from "../accounts/settings.js";
import { insertCustomer, validNewCustomer } from "../customers/create.js";
import { lockLookup } from "../customers/lookup-store.js";
import { customerFromClaims, verifiedEmail } from "./claims.js";
import * as store from "./store.js";

/** An identity that its provider has confirmed, and whether it may make a customer. */
export interface Confirmed extends Identity {
  readonly existingCustomersOnly: boolean;
}

/**
 * Asks the provider of the settings who has the code; before any transaction, since that may take seconds. Throws
 * UNAUTHENTICATED if it does not confirm anybody, UNAVAILABLE if it cannot be asked.
 */
export async function confirmIdentity(
  deps: Pick<Deps, "settings" | "identityProviders" | "logger">,
  call: Call,
  given: AuthorizationCode,
  signal: AbortSignal,
): Promise<Confirmed> {
  const { settings } = await deps.settings.read(call.db, call.tenantId);
  const provider = settings.identityProviders.find(({ name }) => name === given.provider);
  if (provider === undefined) {
    throw refused("IDENTITY_PROVIDER_UNKNOWN", "The account settings name no such identity provider.");
  }
  requireRedirectUri(given.redirectUri);
  try {
    const identity = await deps.identityProviders.redeem(provider, given, signal);
    return { ...identity, existingCustomersOnly: provider.existingCustomersOnly };
  } catch (error) {
    if (error instanceof NotConfirmed) {
      throw rpcError("IDENTITY_NOT_CONFIRMED", "The identity provider did not confirm who this is.");
    }
    if (!(error instanceof Unreachable)) throw error;
    const { tenantId } = call;
    deps.logger.warn({ tenantId, provider: provider.name }, `an identity provider cannot be used: ${error.message}`);
    throw unavailable();
  }
}

// The provider compares it letter by letter with what the page named, and it is taken apart on the way.
function requireRedirectUri(redirectUri: string): void {
  const url = URL.canParse(redirectUri) ? new URL(redirectUri) : undefined;
  if (url?.href !== redirectUri || url.search !== "" || url.hash !== "") {
    throw invalidField("authorization_code.redirect_uri", "must be a URL with a path, and without query and fragment");
  }
}

/**
 * The customer of a confirmed identity. At the first sign-in that is the only customer with its verified e-mail address,
 * unless somebody signs in as it already; else a new one. Throws FAILED_PRECONDITION where neither is possible.
 */
export async function customerOfIdentity(
  { settings, newId }: Pick<Deps, "settings" | "newId">,
  call: Call,
  identity: Confirmed,
): Promise<string> {
  const { tenantId } = call;
  const linkedId = await store.findCustomerId(call.db, tenantId, identity);
  if (linkedId !== undefined) return linkedId;
  return await transact(call, async (inside) => {
    const trx = inside.db;
    await lockLookup(trx, tenantId, `identity ${identity.issuer} ${identity.subject}`);
    const meanwhile = await store.findCustomerId(trx, tenantId, identity);
    if (meanwhile !== undefined) return meanwhile;
    const email = verifiedEmail(identity.claims);
    if (email !== undefined) await lockLookup(trx, tenantId, `email ${email.toLowerCase()}`);
    const rules = await settings.read(trx, tenantId);
    const customerId =
      (await candidateFor(inside, email)) ?? (await createLinkedCustomer(inside, newId, identity, rules));
    const linked = { id: newId("idn"), issuer: identity.issuer, subject: identity.subject, customerId };
    await store.linkIdentity(trx, tenantId, linked, call.event("customer_identity.created"));
    return customerId;
  });
}

// Anybody may have typed the address at a sign-up with a password. Linking that customer would let its maker share the
// account; making a second customer would hide the first from its owner. Throws FAILED_PRECONDITION.
async function candidateFor({ db, tenantId }: TransactionCall, email: string | undefined): Promise<string | undefined> {
  const [candidate, other] = email === undefined ? [] : await store.lockCandidates(db, tenantId, email);
  if (candidate?.signs_in) throw identityNotLinked();
  return other === undefined ? candidate?.id : undefined;
}

async function createLinkedCustomer(
  call: TransactionCall,
  newId: NewId,
  identity: Confirmed,
  rules: TenantSettings,
): Promise<string> {
  if (identity.existingCustomersOnly) throw refused("IDENTITY_UNKNOWN", "No customer is known by this identity.");
  const checked = explained(() => validNewCustomer(customerFromClaims(identity.claims), { ...rules, kind: call.kind }));
  const made = await insertCustomer(call, newId, checked, rules.version).catch(notLinked);
  if (made === undefined) throw conflict();
  return made.row.id;
}

function notLinked(error: unknown): never {
  throw reasonOf(error) === "EMAIL_TAKEN" ? identityNotLinked() : error;
}

function identityNotLinked() {
  return refused("IDENTITY_NOT_LINKED", "A customer with this e-mail address exists, who signs in otherwise.");
}

// Fields that the settings require and the provider did not send: the page cannot add them.
function explained<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    const [violation] = violationsOf(error);
    if (violation === undefined) throw error;
    const field = violation.field.replace(/^customer\./, "");
    throw refused(
      "IDENTITY_INCOMPLETE",
      `The identity cannot make a customer, for its ${field}: ${violation.description}`,
    );
  }
}
