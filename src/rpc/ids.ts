import { TypeID } from "typeid-js";
import { v7 } from "uuid";

/** Makes identifiers: a prefix, `_` and 26 characters that sort by time (UUIDv7 in Crockford's base32). */
export type NewId = (prefix: string) => string;

/** Tells the time; tests decide it. */
export type Clock = () => Date;

/** Makes that many random bytes; tests decide them. */
export type RandomBytes = (size: number) => Uint8Array;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const tokenSize = 32;

/** A text that nobody can guess: 32 characters of base32, 160 bits. */
export function randomToken(randomBytes: RandomBytes): string {
  return Array.from(randomBytes(tokenSize), (byte) => alphabet[byte % alphabet.length]).join("");
}

/** Identifiers from a clock and a source of randomness. Within one millisecond they sort in no order. */
export function createNewId(clock: Clock, randomBytes: RandomBytes): NewId {
  return (prefix) => {
    const uuid = v7({ msecs: clock().getTime(), random: randomBytes(16) }, new Uint8Array(16));
    return TypeID.fromUUIDBytes(prefix, uuid).toString();
  };
}
