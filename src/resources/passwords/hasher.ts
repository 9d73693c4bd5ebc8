import { scrypt, timingSafeEqual } from "node:crypto";
import { hash as hashArgon2, verify as verifyArgon2 } from "@node-rs/argon2";
import { compare as compareBcrypt } from "@node-rs/bcrypt";
import { createTurns } from "../../rpc/calls/fair-queue.js";
import { queueFull } from "../../rpc/errors.js";
import type { RandomBytes } from "../../rpc/ids.js";
import { currentCost, type PasswordHash, parsePasswordHash } from "./formats.js";

/** Which of several hashes a password belongs to, and what to store instead if that one was made elsewhere. */
export interface Match {
  readonly index: number;
  readonly renewed: string | undefined;
}

/**
 * Hashes and verifies passwords, two at a time. Never to be called inside of a transaction, which would hold a
 * connection meanwhile. Both throw RESOURCE_EXHAUSTED, reason QUEUE_FULL, before they have done anything.
 */
export interface PasswordHasher {
  /** The hash of a password, argon2id in the PHC string format; with a random salt unless one is given. */
  hash(password: string, salt?: Uint8Array): Promise<string>;
  /** Finds the first hash of a password; undefined if it belongs to none. Without any hash it takes as long as with one. */
  match(password: string, hashes: readonly string[]): Promise<Match | undefined>;
}

// Each takes a thread of the four that file system and name service share, and 19 MiB or more.
const atOnce = 2;
const maxWaiting = 64;
const saltBytes = 16;
/** Of a password that nobody has: 32 random bytes that were thrown away. */
const nobodys = "$argon2id$v=19$m=19456,t=2,p=1$FCp44NYQAREiZjZHYM65Wg$XIwRY88dDICLkIKTANUH81j4oWafTtN2KjLSMoSzsD8";

/** Makes the hasher; one for the process, since it bounds how many are at work. */
export function createPasswordHasher(randomBytes: RandomBytes): PasswordHasher {
  const inTurn = createTurns({ places: atOnce, queue: maxWaiting, full: queueFull });
  const hashNow = (password: string, salt: Uint8Array = randomBytes(saltBytes)) =>
    // Argon2id is the library's default, and version 19 too.
    hashArgon2(normal(password), { ...currentCost, salt });
  return {
    hash: (password, salt) => inTurn(() => hashNow(password, salt)),
    match: (password, hashes) =>
      inTurn(async () => {
        for (const [index, text] of hashes.entries()) {
          const hash = parsePasswordHash(text);
          if (hash === undefined || !(await belongs(password, hash))) continue;
          return { index, renewed: hash.isCurrent ? undefined : await hashNow(password) };
        }
        if (hashes.length === 0) await verifyArgon2(nobodys, normal(password));
        return undefined;
      }),
  };
}

// Two ways to type one password, such as é in one character or in two, are one (NIST SP 800-63B).
function normal(password: string): string {
  return password.normalize("NFKC");
}

// Hashes from elsewhere were made of what came.
async function belongs(password: string, hash: PasswordHash): Promise<boolean> {
  if (hash.algorithm === "bcrypt") return await compareBcrypt(password, hash.text);
  if (hash.algorithm === "scrypt") return timingSafeEqual(await scryptKey(password, hash), hash.key);
  return await verifyArgon2(hash.text, hash.isCurrent ? normal(password) : password);
}

type ScryptHash = Extract<PasswordHash, { algorithm: "scrypt" }>;

async function scryptKey(password: string, { cost, salt, key }: ScryptHash): Promise<Buffer> {
  const maxmem = 128 * cost.r * (cost.N + cost.p + 2);
  return await new Promise((resolve, reject) => {
    scrypt(password, salt, key.byteLength, { ...cost, maxmem }, (error, made) =>
      error ? reject(error) : resolve(made),
    );
  });
}
