/** A hash of a password that can be verified, cut up as far as its algorithm needs. */
export type PasswordHash =
  | { readonly algorithm: "argon2" | "bcrypt"; readonly text: string; readonly isCurrent: boolean }
  | {
      readonly algorithm: "scrypt";
      readonly cost: { readonly N: number; readonly r: number; readonly p: number };
      readonly salt: Buffer;
      readonly key: Buffer;
      readonly isCurrent: false;
    };

/** The cost of our own hashes (argon2id): 19 MiB, 2 passes, one lane. */
export const currentCost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

const current = `$argon2id$v=19$m=${currentCost.memoryCost},t=${currentCost.timeCost},p=${currentCost.parallelism}$`;

// A hash that comes from elsewhere must not cost more than a third of a second or so: a failed log-in is answered at the
// next half second, so that nobody can tell by the time which hash there is, or whether there is one.
const limits = {
  argon2: { kibibytes: 65_536, kibibytesTimesPasses: 262_144, lanes: 4 },
  bcrypt: { cost: 12 },
  scrypt: { work: 2 ** 20, blocks: 4_096 },
  saltBytes: { least: 8, most: 64 },
  keyBytes: { least: 16, most: 64 },
};

const argon2 =
  /^\$argon2(?:id|i|d)\$(?:v=(?:16|19)\$)?m=([1-9]\d{0,6}),t=([1-9]\d{0,3}),p=([1-9]\d?)\$([A-Za-z\d+/]+)\$([A-Za-z\d+/]+)$/;
const bcrypt = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const scrypt = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([\w+./]+={0,2})\$([\w+./]+={0,2})$/;

/**
 * Reads a hash: argon2id, argon2i or argon2d in the PHC string format; bcrypt as `$2a$`, `$2b$` or `$2y$`; scrypt as
 * `$scrypt$ln=<log2 N>,r=<r>,p=<p>$<salt>$<key>` with both in base64. Undefined if it is none of them, or if verifying it
 * would cost more than it should: argon2 beyond 64 MiB, 4 lanes or 256 MiB in all passes, bcrypt beyond cost 12, scrypt
 * beyond N·r·p = 2^20 or r·p = 4096.
 */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  if (text.length > 512) return undefined;
  return argon2Of(text) ?? bcryptOf(text) ?? scryptOf(text);
}

function argon2Of(text: string): PasswordHash | undefined {
  const match = argon2.exec(text);
  if (match === null) return undefined;
  const [memory = 0, passes = 0, lanes = 0] = match.slice(1, 4).map(Number);
  const { kibibytes, kibibytesTimesPasses, lanes: mostLanes } = limits.argon2;
  if (lanes < 1 || lanes > mostLanes || passes < 1) return undefined;
  if (memory < 8 * lanes || memory > kibibytes || memory * passes > kibibytesTimesPasses) return undefined;
  const [salt = "", key = ""] = match.slice(4);
  if (!isCanonical(salt) || !isCanonical(key) || !isSized(bytesOf(salt), bytesOf(key))) return undefined;
  return { algorithm: "argon2", text, isCurrent: text.startsWith(current) };
}

function bcryptOf(text: string): PasswordHash | undefined {
  const match = bcrypt.exec(text);
  if (match === null) return undefined;
  const cost = Number(match[1]);
  return cost < 4 || cost > limits.bcrypt.cost ? undefined : { algorithm: "bcrypt", text, isCurrent: false };
}

function scryptOf(text: string): PasswordHash | undefined {
  const match = scrypt.exec(text);
  if (match === null) return undefined;
  const [log2 = 0, r = 0, p = 0] = match.slice(1, 4).map(Number);
  const N = 2 ** log2;
  // RFC 7914, 2: N is less than 2^(16 r).
  if (log2 < 1 || log2 >= 16 * r || p < 1) return undefined;
  if (N * r * p > limits.scrypt.work || r * p > limits.scrypt.blocks) return undefined;
  const [salt, key] = [bytesOf(match[4]), bytesOf(match[5])];
  return isSized(salt, key) ? { algorithm: "scrypt", cost: { N, r, p }, salt, key, isCurrent: false } : undefined;
}

function isSized(salt: Buffer, key: Buffer): boolean {
  const { saltBytes, keyBytes } = limits;
  const isSalt = salt.byteLength >= saltBytes.least && salt.byteLength <= saltBytes.most;
  return isSalt && key.byteLength >= keyBytes.least && key.byteLength <= keyBytes.most;
}

// The library decodes nothing else.
function isCanonical(base64: string): boolean {
  return bytesOf(base64).toString("base64").replace(/=+$/, "") === base64;
}

// Some write a `.` for the `+`.
function bytesOf(base64 = ""): Buffer {
  return Buffer.from(base64.replaceAll(".", "+"), "base64");
}
