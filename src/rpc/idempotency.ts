import { createHash, timingSafeEqual } from "node:crypto";
import {
  clone,
  type DescField,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Interceptor, UnaryRequest, UnaryResponse } from "@connectrpc/connect";
import type { Knex } from "knex";
import { inTransaction } from "../db/transaction.js";
import { type Call, type Caller, callerKey, callKey } from "./caller.js";
import { invalidField, rpcError } from "./errors.js";
import type { Clock } from "./ids.js";

const header = "idempotency-key";
/** On an answer that was remembered, not made anew. */
export const replayedHeader = "idempotency-replayed";
const lifetimeMs = 24 * 60 * 60 * 1000;

/** What opens a call: where it reads and writes, and what gives it time. */
interface Opening {
  readonly db: Knex;
  readonly clock: Clock;
}

/**
 * Opens the call for its handler. With an Idempotency-Key, a mutating call runs in one transaction with its remembered
 * answer: for 24 hours the same request gets the first answer again, another one is FAILED_PRECONDITION. A failed call
 * has no effect and is not remembered.
 */
export function callInterceptor({ db, clock }: Opening): Interceptor {
  const open = (caller: Caller, on: Knex): Call => {
    const now = clock();
    const event: Call["event"] = (type, changedPaths = []) => ({ type, changedPaths, actor: caller.actor, time: now });
    return { ...caller, db: on, now, event };
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
      if (remembered !== undefined) return replay(req, remembered);
      req.contextValues.set(callKey, call);
      const res = await next(req);
      if (!res.stream) await remember(call, req.method, key, res);
      return res;
    });
  };
}

function isRead(method: DescMethod): boolean {
  return method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS || /^(Get|List)(?!Or)/.test(method.name);
}

// Inserts the key, so that a concurrent call with it waits for this one to end; or finds the first answer.
async function claim({ db, tenantId, now }: Call, req: UnaryRequest, key: string): Promise<Uint8Array | undefined> {
  const method = nameOf(req.method);
  const request_hash = requestHash(req.method.input, req.message);
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

async function remember({ db, tenantId }: Call, method: DescMethod, key: string, res: UnaryResponse): Promise<void> {
  const answer = clone(method.output, res.message);
  redact(method.output, answer);
  const response = Buffer.from(toBinary(method.output, answer));
  await db("idempotency_keys")
    .where({ tenant_id: tenantId, method: nameOf(method), key })
    .update({ response });
}

function replay(req: UnaryRequest, remembered: Uint8Array): UnaryResponse {
  return {
    stream: false,
    service: req.service,
    method: req.method,
    header: new Headers({ [replayedHeader]: "true" }),
    trailer: new Headers(),
    message: fromBinary(req.method.output, remembered),
  };
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

// By content, not by bytes: JSON objects hold their keys in any order.
function requestHash(schema: DescMessage, message: Message): Buffer {
  return createHash("sha256")
    .update(JSON.stringify(sorted(toJson(schema, message))))
    .digest();
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
