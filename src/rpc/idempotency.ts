import { createHash, timingSafeEqual } from "node:crypto";
import {
  clone,
  type DescField,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  createContextKey,
  type HandlerContext,
  type Interceptor,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import type { Knex } from "knex";
import { inTransaction } from "../db/transaction.js";
import { type Call, type Caller, callerKey, callKey } from "./caller.js";
import { invalidField, rpcError } from "./errors.js";
import type { Clock } from "./ids.js";

const header = "idempotency-key";
/** On an answer that was remembered, not made anew. */
export const replayedHeader = "idempotency-replayed";
const lifetimeMs = 24 * 60 * 60 * 1000;

/** What opens a call: where it reads and writes, what gives it time, and where clients reach the service. */
interface Opening {
  readonly db: Knex;
  readonly clock: Clock;
  readonly publicUrl: () => string;
}

/**
 * Opens the call for its handler. With an Idempotency-Key, a mutating call runs in one transaction with its remembered
 * answer: for 24 hours the same request gets the first answer again, another one is FAILED_PRECONDITION. A failed call
 * has no effect and is not remembered.
 */
export function callInterceptor({ db, clock, publicUrl }: Opening): Interceptor {
  const open = (caller: Caller, on: Knex): Call => {
    const now = clock();
    const event: Call["event"] = (type, changedPaths = []) => ({ type, changedPaths, actor: caller.actor, time: now });
    return { ...caller, db: on, now, event, publicUrl: publicUrl() };
  };

  return (next) => async (req) => {
    const caller = req.contextValues.get(callerKey);
    if (caller === undefined) return await next(req);
    const key = req.header.get(header);
    if (key === null || req.stream || isRead(req.method)) {
      req.contextValues.set(callKey, open(caller, db));
      return await next(req);
    }
    if (!/^[!-~]{1,255}$/.test(key)) {
      throw invalidField(header, "must be 1 to 255 visible ASCII characters", "IDEMPOTENCY_KEY_INVALID");
    }
    return await inTransaction(db, async (trx) => {
      const call = open(caller, trx);
      const remembered = await claim(call, req, key);
      if (remembered !== undefined) {
        req.contextValues.set(replayKey, fromBinary(req.method.output, remembered));
        const replayed = await next(req);
        replayed.header.set(replayedHeader, "true");
        return replayed;
      }
      req.contextValues.set(callKey, call);
      const res = await next(req);
      if (!res.stream) await remember(call, req.method, key, res);
      return res;
    });
  };
}

function isRead(method: DescMethod): boolean {
  return (
    method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS ||
    /^(Get|List|Search)(?!Or[A-Z])/.test(method.name)
  );
}

// Inserts the key, so that a concurrent call with it waits for this one to end; or finds the first answer.
async function claim(call: Call, req: UnaryRequest, given: string): Promise<Uint8Array | undefined> {
  const { db, tenantId, now } = call;
  const key = ownKey(call, given);
  const method = nameOf(req.method);
  const request_hash = requestHash(req.message);
  const expire_time = new Date(now.getTime() + lifetimeMs);
  const claimed = await db("idempotency_keys")
    .insert({ tenant_id: tenantId, method, key, request_hash, expire_time })
    .onConflict(["tenant_id", "method", "key"])
    .merge({ request_hash, expire_time, response: null })
    .where("idempotency_keys.expire_time", "<=", now)
    .returning("key");
  if (claimed.length > 0) return undefined;
  const first = await db("idempotency_keys").where({ tenant_id: tenantId, method, key }).first();
  if (!timingSafeEqual(first.request_hash, request_hash)) {
    throw rpcError("IDEMPOTENCY_KEY_REUSED", "The Idempotency-Key was used for another request.");
  }
  return first.response;
}

async function remember(call: Call, method: DescMethod, given: string, res: UnaryResponse): Promise<void> {
  const { db, tenantId } = call;
  const key = ownKey(call, given);
  const answer = clone(method.output, res.message);
  redact(method.output, answer);
  const response = Buffer.from(toBinary(method.output, answer));
  await db("idempotency_keys")
    .where({ tenant_id: tenantId, method: nameOf(method), key })
    .update({ response });
}

// The keys of servers, of pages and of each customer are apart, so that none learns or blocks what another remembers. A
// key of a client holds no space.
function ownKey({ kind, customerId }: Call, key: string): string {
  return kind === "secret_key" ? key : `${customerId ?? kind} ${key}`;
}

/** Deletes the answers that nobody may ask for again; says how many. Looks across tenants: for the job alone. */
export async function forgetExpiredKeys(db: Knex, now: Date): Promise<number> {
  return await db("idempotency_keys").where("expire_time", "<=", now).delete();
}

/** The answer to give instead of making one. */
const replayKey = createContextKey<Message | undefined>(undefined);

/**
 * A service that gives a remembered answer where there is one. The answer must come from the implementation: what an
 * interceptor returns without it lacks the header fields of the protocol, such as the content type.
 */
export function replayable<Implementation extends object>(implementation: Implementation): Implementation {
  return Object.fromEntries(
    Object.entries(implementation).map(([name, serve]) => [
      name,
      (req: unknown, ctx: HandlerContext) => ctx.values.get(replayKey) ?? serve(req, ctx),
    ]),
  ) as Implementation;
}

// What is shown once is not stored: a field marked debug_redact.
function redact(schema: DescMessage, message: Message): void {
  const reflected = reflect(schema, message);
  for (const field of schema.fields.filter((field: DescField) => field.proto.options?.debugRedact))
    reflected.clear(field);
}

function nameOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

// By content, not by bytes: JSON objects hold their keys in any order. Not by way of proto JSON, which cannot spell every
// message: a mask of `metadata.someKey`, a year beyond 9999.
function requestHash(message: Message): Buffer {
  return createHash("sha256")
    .update(JSON.stringify(canonical(message)))
    .digest();
}

// A number is marked, so that it differs from the text of it.
function canonical(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "bigint") return { number: String(value) };
  if (typeof value !== "object" || value === null) return value ?? null;
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(canonical);
  const entries = Object.entries(value).filter(([key, inner]) => key !== "$unknown" && inner !== undefined);
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return { entries: sorted.map(([key, inner]) => [key, canonical(inner)]) };
}
