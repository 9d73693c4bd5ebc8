import { setTimeout as sleep } from "node:timers/promises";
import type { EmailPassword } from "../../../gen/clientele/v1/customer_tokens_pb.js";
import type { Deps } from "../../deps.js";
import { coarseEmail } from "../../formats/folding.js";
import type { Call } from "../../rpc/callers/caller.js";
import { rpcError } from "../../rpc/errors.js";
import { listPasswordsOfEmail, type PasswordRow, renewPassword } from "./store.js";

/** Where customers share an e-mail address: each more makes a failure costlier. */
const maxCandidates = 4;
/** A failure is answered at the next half second since it began: longer than any verification takes. */
const evenMs = 500;

/**
 * Recognises a customer by e-mail address and password; a hash that was made elsewhere is renewed. Throws
 * UNAUTHENTICATED, reason LOGIN_FAILED, and LOGIN_DELAYED after too many failures.
 */
export async function logIn(
  { verifyCounted, passwords }: Pick<Deps, "verifyCounted" | "passwords">,
  call: Call,
  { email, password }: Pick<EmailPassword, "email" | "password">,
  from: string,
): Promise<PasswordRow> {
  const begun = performance.now();
  const { db, tenantId } = call;
  const attempt = { whose: `email ${coarseEmail(email)}`, from };
  const found = await verifyCounted(call, attempt, async () => {
    const rows = await listPasswordsOfEmail(db, tenantId, email, maxCandidates);
    const match = await passwords.match(
      password,
      rows.map(({ hash }) => hash),
    );
    const row = match && rows[match.index];
    return (
      row && {
        found: { ...row, hash: match.renewed ?? row.hash, renewed: match.renewed !== undefined },
        isSole: rows.length === 1,
      }
    );
  });
  if (found === undefined) {
    await evenOut(begun);
    throw loginFailed();
  }
  const { renewed, ...row } = found;
  if (renewed) await renewPassword(db, tenantId, row);
  return row;
}

/** Neither an unknown e-mail address nor a wrong password is told from the other. */
export function loginFailed() {
  return rpcError("LOGIN_FAILED", "The e-mail address or the password is wrong.");
}

async function evenOut(begun: number): Promise<void> {
  const passed = performance.now() - begun;
  await sleep(evenMs - (passed % evenMs));
}
