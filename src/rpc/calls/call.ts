import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import type { HandlerContext, Interceptor, ServiceImpl } from "@connectrpc/connect";
import type { Knex } from "knex";
import { type Call, type Caller, callerKey, callKey, callOf, clientAddressKey } from "../callers/caller.js";
import type { Clock } from "../ids.js";
import { changeReasonOf } from "./event-draft.js";
import { onBehalfOf } from "./fair-queue.js";
import * as idempotency from "./idempotency.js";
import { hasEffect } from "./method-facts.js";
import { transact } from "./transaction.js";

// How a call reaches its handler, with an Idempotency-Key or without:
//
//  1. `callInterceptor` opens the call: the caller, the time, the pool, and the draft of its events.
//  2. A read, and a change without a key, goes to its handler at once.
//  3. A change with a key makes its claim: the hash of the key and of the request.
//  4. A handler in two steps first looks for a stored answer, then prepares, without a connection of its own.
//  5. A transaction begins. It takes the key, which makes a concurrent call with the same key wait.
//  6. If the key has an answer, that one is replayed. The same key with another request is refused.
//  7. Otherwise the handler makes its change in the transaction, and the answer is stored with the key.
//  8. The transaction commits. One that lost against another runs again from 5.
//  9. What the handler left for after the commit is done.
// 10. The change is announced to the watches of events.

/** The dependencies of a call: its database, its clock, and the URL at which clients reach the service. */
interface Opening {
  readonly db: Knex;
  readonly clock: Clock;
  readonly publicUrl: () => string;
  readonly announce: (tenantId: string) => void;
}

/** Opens the call for its handler, does what the handler left for after the commit, and announces a change. */
export function callInterceptor({ db, clock, publicUrl, announce }: Opening): Interceptor {
  return (next) => async (req) => {
    const caller = req.contextValues.get(callerKey);
    if (caller === undefined) return await next(req);
    const now = clock();
    const reason = changeReasonOf(req.header);
    const origin = { actor: caller.actor, actorKind: caller.kind, ...(reason !== undefined && { reason }), time: now };
    const event: Call["event"] = (type, changedPaths = []) => ({ type, changedPaths, ...origin });
    const committed: (() => void)[] = [];
    const afterCommit: Call["afterCommit"] = (fn) => void committed.push(fn);
    req.contextValues.set(callKey, { ...caller, db, now, event, publicUrl: publicUrl(), afterCommit });
    const res = await onBehalfOf(whoseTurn(caller, req.contextValues.get(clientAddressKey)), () => next(req));
    for (const fn of committed) fn();
    if (hasEffect(req.method)) announce(caller.tenantId);
    return res;
  };
}

// A tenant's servers together, everybody else by the address that they call from.
function whoseTurn({ kind, tenantId }: Caller, clientAddress = ""): string {
  return kind === "secret_key" ? tenantId : `${tenantId} ${clientAddress}`;
}

type Handler = (req: never, ctx: HandlerContext) => unknown;
type Change<Answer> = (call: Call) => Promise<Answer>;
type Prepare<Request, Answer> = (req: Request, ctx: HandlerContext) => Promise<Change<Answer>>;

const preparations = new WeakMap<Handler, Prepare<never, unknown>>();

/**
 * A handler in two steps: what may take long and changes nothing, such as asking another system, and the change that it
 * returns. The first one holds no connection, with an Idempotency-Key either; the call given to the change may be a
 * transaction. The change may run more than once.
 */
export function prepared<Request, Answer>(prepare: Prepare<Request, Answer>) {
  const handler = async (req: Request, ctx: HandlerContext): Promise<Answer> => {
    const change = await prepare(req, ctx);
    return await change(callOf(ctx));
  };
  preparations.set(handler, prepare);
  return handler;
}

/**
 * A service that heeds the Idempotency-Key: a mutating call with one runs in one transaction with its remembered answer.
 * For 24 hours the same request gets the first answer again, another one is FAILED_PRECONDITION. A failed call has no
 * effect and is not remembered.
 */
export function withIdempotency<Service extends DescService>(
  service: Service,
  implementation: ServiceImpl<Service>,
): ServiceImpl<Service> {
  const methods = service.methods.map((method) => {
    const handler: Handler = Reflect.get(implementation, method.localName);
    return [method.localName, idempotency.isRemembered(method) ? runOnce(method, handler) : handler];
  });
  return Object.fromEntries(methods);
}

// The answer must come from here: what an interceptor returns by itself lacks the header fields of the protocol, such as
// the content type.
function runOnce(method: DescMethod, handler: Handler) {
  const prepare = preparations.get(handler);
  return async (req: Message, ctx: HandlerContext): Promise<unknown> => {
    const key = ctx.values.get(callKey) && idempotency.keyIn(ctx.requestHeader);
    if (key === undefined) return await handler(req as never, ctx);
    const pooled = callOf(ctx);
    const claim = await idempotency.claimOf(method, pooled, key, req);
    const replay = (answer: Message) => {
      ctx.responseHeader.set(idempotency.replayedHeader, "true");
      return answer;
    };
    if (prepare === undefined) return await runInTransaction(() => handler(req as never, ctx) as Promise<unknown>);
    // A replayed answer waits for nothing, and the preparation could fail by now.
    const before = await idempotency.find(pooled, claim);
    if (before !== undefined) return replay(before);
    let change: Change<unknown>;
    try {
      change = await prepare(req as never, ctx);
    } catch (error) {
      const meanwhile = await idempotency.find(pooled, claim);
      if (meanwhile === undefined) throw error;
      return replay(meanwhile);
    }
    return await runInTransaction(change);

    async function runInTransaction(answer: Change<unknown>): Promise<unknown> {
      return await transact(pooled, async (call) => {
        const remembered = await idempotency.take(call, claim);
        if (remembered !== undefined) return replay(remembered);
        ctx.values.set(callKey, call);
        const answered = await answer(call);
        await idempotency.remember(call, claim, answered);
        return answered;
      });
    }
  };
}
