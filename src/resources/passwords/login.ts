import { setTimeout as sleep } from "node:timers/promises";
import type { EmailPassword } from "../../../gen/clientele/v1/customer_tokens_pb.js";
import type { Deps } from "../../deps.js";
import { normalEmail } from "../../formats/emails.js";
import { coarseEmail } from "../../formats/folding.js";
import type { Call } from "../../rpc/callers/caller.js";
import { rpcError } from "../../rpc/errors.js";
import type { PasswordHasher } from "./hasher.js";
import { saltOf } from "./salt.js";
import {
  findPasswordByHash,
  listOtherPasswords,
  listPasswordsOfEmail,
  type PasswordRow,
  renewPassword,
} from "./store.js";

/** The most hashes that one attempt computes: each makes a failure costlier. */
const maxHashes = 4;
/** A failure is answered at the next half second since it began: longer than any verification takes. */
const evenMs = 500;

/**
 * Recognises a customer by e-mail address and password; a hash that was made elsewhere is renewed. Throws
 * UNAUTHENTICATED, reason LOGIN_FAILED, and LOGIN_DELAYED after too many failures.
 */
export async function logIn(
  { verifyCounted, passwords }: Pick<Deps, "verifyCounted" | "passwords">,
  call: Call,
  { email: typed, password }: Pick<EmailPassword, "email" | "password">,
  from: string,
): Promise<PasswordRow> {
  const begun = performance.now();
  const email = normalEmail(typed) ?? typed;
  const { db, tenantId } = call;
  const attempt = { whose: `email ${coarseEmail(email)}`, from };
  const signedIn = await verifyCounted(call, attempt, async (attemptNumber) => {
    const rows = await listPasswordsOfEmail(db, tenantId, email, maxHashes + 1);
    const match = await (rows.length > maxHashes
      ? matchAmongMany(passwords, call, { email, password }, attemptNumber)
      : matchAmong(passwords, password, rows));
    return match && { match, isSole: rows.length === 1 };
  });
  if (signedIn === undefined) {
    await evenOut(begun);
    throw loginFailed();
  }
  const { isRenewed, ...row } = signedIn;
  if (isRenewed) await renewPassword(db, tenantId, row);
  return row;
}

/** A password row with the hash to store, and whether that is another hash than the stored one. */
interface Match extends PasswordRow {
  readonly isRenewed: boolean;
}

async function matchAmong(
  passwords: PasswordHasher,
  password: string,
  rows: readonly PasswordRow[],
): Promise<Match | undefined> {
  const hashes = rows.map(({ hash }) => hash);
  const match = await passwords.match(password, hashes);
  const row = match && rows[match.index];
  return row && { ...row, hash: match.renewed ?? row.hash, isRenewed: match.renewed !== undefined };
}

// One hash finds a password among all that have the salt of the address. Hashes with other salts come from imports and from
// customers who changed their address: each attempt tries some, the next attempt the next ones. The one that fits gets the
// salt of the address.
async function matchAmongMany(
  passwords: PasswordHasher,
  call: Call,
  { email, password }: Pick<EmailPassword, "email" | "password">,
  attemptNumber: number,
): Promise<Match | undefined> {
  const { db, tenantId } = call;
  const hash = await passwords.hash(password, saltOf(call, email));
  const row = await findPasswordByHash(db, tenantId, email, hash);
  if (row !== undefined) return { ...row, isRenewed: false };
  const prefix = hash.slice(0, hash.lastIndexOf("$") + 1);
  const window = { prefix, window: attemptNumber - 1, limit: maxHashes - 1 };
  const others = await listOtherPasswords(db, tenantId, email, window);
  const match = others.length === 0 ? undefined : await matchAmong(passwords, password, others);
  return match && { ...match, hash, isRenewed: true };
}

/** Neither an unknown e-mail address nor a wrong password is told from the other. */
export function loginFailed() {
  return rpcError("LOGIN_FAILED", "The e-mail address or the password is wrong.");
}

async function evenOut(begun: number): Promise<void> {
  const passed = performance.now() - begun;
  await sleep(evenMs - (passed % evenMs));
}
