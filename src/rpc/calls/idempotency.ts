import { createHash, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import {
  clone,
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Knex } from "knex";
import type { Call, Caller, TransactionCall } from "../callers/caller.js";
import { invalidField, queueFull, rpcError } from "../errors.js";
import { canonicalOf } from "../requests/canonical.js";
import { refuseCardNumber } from "../requests/card-numbers.js";
import { clearSecrets } from "../requests/secrets.js";
import { resourceIn, subjectIn } from "../requests/subject.js";
import { createTurns } from "./fair-queue.js";
import { hasEffect } from "./method-facts.js";

const header = "idempotency-key";
/** On an answer that was remembered, not made anew. */
export const replayedHeader = "idempotency-replayed";
const lifetimeMs = 24 * 60 * 60 * 1000;

/** The use of an Idempotency-Key: once for all methods of a tenant. */
export interface Claim {
  readonly method: DescMethod;
  /** A key may name a person, so its text is stored nowhere. */
  readonly keyHash: Buffer;
  readonly requestHash: Buffer;
  /** The subject that the request names, if it does. */
  readonly subjectId: string | undefined;
}

/** Whether the answers of a method are remembered: it changes something, and gives one answer. */
export function isRemembered(method: DescMethod): boolean {
  return method.methodKind === "unary" && hasEffect(method);
}

/** The Idempotency-Key of a request, if it has one. Throws INVALID_ARGUMENT for what is none. */
export function keyIn(headers: Headers): string | undefined {
  const key = headers.get(header);
  if (key === null) return undefined;
  if (!/^[!-~]{1,255}$/.test(key)) {
    throw invalidField(header, "must be 1 to 255 visible ASCII characters", "IDEMPOTENCY_KEY_INVALID");
  }
  refuseCardNumber(key, header);
  return key;
}

/**
 * The keys of servers, of pages and of each subject are apart, so that none learns or blocks what another remembers: a
 * key of a client holds no space.
 */
export async function claimOf(
  method: DescMethod,
  { kind, tenantId, subjectId }: Caller,
  key: string,
  request: Message,
): Promise<Claim> {
  const ownKey = kind === "secret_key" ? key : `${subjectId ?? kind} ${key}`;
  const about = subjectId ?? subjectIn(method.input, request);
  const contentHash = await hashOf(method.input, request, `${tenantId} ${ownKey}`);
  // Keyed, so that the hash confirms no guess of a request to a reader without the key.
  const requestHash = createHash("sha256").update(ownKey).update(contentHash).digest();
  return { method, keyHash: hashOfKey(ownKey), requestHash, subjectId: about };
}

/** The hash under which the record of a key is found. */
export function hashOfKey(key: string): Buffer {
  return createHash("sha256").update(`idempotency-key ${key}`).digest();
}

/**
 * Takes the key for a call, so that a concurrent one with it waits for this one to end; or finds the first answer. Throws
 * FAILED_PRECONDITION if another request has it, or the person whom the first request was about is erased.
 */
export async function take(call: TransactionCall, claim: Claim): Promise<Message | undefined> {
  const { db, tenantId, now } = call;
  const expire_time = new Date(now.getTime() + lifetimeMs);
  const taken = { method: nameOf(claim.method), request_hash: claim.requestHash, expire_time };
  const claimed = await db("idempotency_keys")
    .insert({ ...keyColumns(tenantId, claim), ...taken })
    .onConflict(["tenant_id", "key_hash"])
    .merge({ ...taken, response: null, customer_id: null, resource_id: null })
    .where("idempotency_keys.expire_time", "<=", now)
    .returning("expire_time");
  return claimed.length > 0 ? undefined : await find(call, claim);
}

/** The answer of the first call with the key; undefined if there was none. Throws as `take` does. */
export async function find({ db, tenantId, now }: Call, claim: Claim): Promise<Message | undefined> {
  const first = await db("idempotency_keys").where(keyColumns(tenantId, claim)).where("expire_time", ">", now).first();
  if (first === undefined) return undefined;
  if (first.request_hash === null) {
    throw rpcError("IDEMPOTENCY_KEY_ERASED", "The person of the first request with this Idempotency-Key is erased.");
  }
  if (first.method !== nameOf(claim.method)) {
    throw rpcError("IDEMPOTENCY_KEY_REUSED", "The Idempotency-Key was used for another method.");
  }
  if (!timingSafeEqual(first.request_hash, claim.requestHash)) {
    throw rpcError("IDEMPOTENCY_KEY_REUSED", "The Idempotency-Key was used for another request.");
  }
  return fromBinary(claim.method.output, first.response);
}

/**
 * Keeps the answer of the call that took the key, with the subject that it is about, or else the resource, so that both are
 * erased together; `answer` is what the handler gives.
 */
export async function remember({ db, tenantId }: TransactionCall, claim: Claim, answer: unknown): Promise<void> {
  const { output } = claim.method;
  const copy = clone(output, create(output, answer as MessageInitShape<DescMessage>));
  clearSecrets(output, copy);
  const response = Buffer.from(toBinary(output, copy));
  const customer_id = subjectIn(output, copy) ?? claim.subjectId ?? null;
  const resource_id = customer_id === null ? (resourceIn(output, copy) ?? null) : null;
  await db("idempotency_keys").where(keyColumns(tenantId, claim)).update({ response, customer_id, resource_id });
}

/**
 * Lets what a service has answered about a resource, which was nobody's or another's then, be erased with the subject who
 * has it now.
 */
export async function handOver(
  trx: Knex.Transaction,
  tenantId: string,
  service: DescService,
  resourceId: string,
  subjectId: string,
): Promise<void> {
  await trx("idempotency_keys")
    .where({ tenant_id: tenantId })
    .whereIn("method", service.methods.filter(isRemembered).map(nameOf))
    .whereRaw("position(convert_to(?, 'UTF8') in response) > 0", [resourceId])
    .update({ customer_id: subjectId });
}

function keyColumns(tenantId: string, { keyHash }: Claim) {
  return { tenant_id: tenantId, key_hash: keyHash };
}

function nameOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}

/** Deletes the answers that nobody may ask for again; says how many. Looks across tenants: for the job alone. */
export async function forgetExpiredKeys(db: Knex, now: Date): Promise<number> {
  return await db("idempotency_keys").where("expire_time", "<=", now).delete();
}

// A password must not be guessed from the hash, so that goes in by a function that is as slow as the one that keeps it.
async function hashOf(schema: DescMessage, message: Message, salt: string): Promise<Buffer> {
  const { text, secrets } = canonicalOf(schema, message);
  const hash = createHash("sha256");
  if (secrets.length > 0) hash.update(await inQueue(() => slowHash(JSON.stringify(secrets), salt, 32)));
  return hash.update(text).digest();
}

const slowHash = promisify<string, string, number, Buffer>(scrypt);
// One at a time: anybody may send keys and passwords, and the threads are those of file system and name service.
const inQueue = createTurns({ places: 1, queue: 64, full: queueFull });
