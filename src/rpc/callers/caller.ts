import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Knex } from "knex";
import type { EventDraft } from "../calls/event-draft.js";

/** The kind of a caller; `public` needs no credential. */
export type CallerKind = "secret_key" | "publishable_key" | "customer_token" | "public";

/** The caller that a credential stands for. */
export interface Caller {
  readonly kind: Exclude<CallerKind, "public">;
  readonly tenantId: string;
  readonly accountId: string;
  readonly liveMode: boolean;
  /** The id of the key or of the customer token. */
  readonly actor: string;
  /** The id of the subject whose token it is, the one person whose data it reaches; absent for a key. */
  readonly subjectId?: string;
  /** The tenant's own key. It signs page tokens, salts passwords, and hides who tried to log in. */
  readonly tenantKey: Uint8Array;
}

/** A call in progress: who calls, when, and where it reads and writes. */
export interface Call extends Caller {
  /** The pool, or the transaction that also remembers the answer for an Idempotency-Key. */
  readonly db: Knex;
  /** The time of the call, in whole milliseconds; everything it writes carries it. */
  readonly now: Date;
  /** Where clients reach the public port, without a slash at its end. */
  readonly publicUrl: string;
  /** The event of a change that the call makes: its type, such as `thing.updated`, and the paths it changes. */
  readonly event: (type: string, changedPaths?: readonly string[]) => EventDraft;
  /** Leaves something for when all of the call is committed, such as forgetting what was cached. It may run more than once. */
  readonly afterCommit: (fn: () => void) => void;
}

/** A call bound to a transaction. A function that locks or writes takes this, so that the pool does not compile. */
export interface TransactionCall extends Call {
  readonly db: Knex.Transaction;
}

/** The part of a call that a change needs; a job has no more than this. */
export type ChangeCall = Pick<TransactionCall, "db" | "tenantId" | "now" | "event">;

export const callerKey = createContextKey<Caller | undefined>(undefined);
export const callKey = createContextKey<Call | undefined>(undefined);

/** The call that a handler serves. */
export function callOf(ctx: Pick<HandlerContext, "values">): Call {
  const call = ctx.values.get(callKey);
  if (call === undefined) throw new Error("This handler is served without the interceptors.");
  return call;
}

/** The IP address that a call comes from, as far as the configuration lets proxies say so; set by the listeners. */
export const clientAddressKey = createContextKey<string | undefined>(undefined);

/** The IP address that a handler's call comes from. */
export function clientAddressOf(ctx: Pick<HandlerContext, "values">): string {
  return ctx.values.get(clientAddressKey) ?? "";
}
