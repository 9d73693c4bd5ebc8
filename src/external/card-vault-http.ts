import { ExponentialBackoff, handleType, retry } from "cockatiel";
import { z } from "zod";
import { deadlineLeft } from "../db/deadline.js";
import { holdsCardNumber } from "../formats/card-numbers.js";
import { countryCode } from "../formats/countries.js";
import { cleanText } from "../formats/text.js";
import { callCancelled, deadlinePassed, unavailable } from "../rpc/errors.js";
import { type CardOwner, type CardVault, ownerParts } from "./card-vault.js";
import { createHttpJson, Unreachable } from "./http-json.js";

export interface HttpVaultOptions {
  readonly url: string;
  readonly secret: string;
  /** How long the vault may take for an answer, in milliseconds. */
  readonly timeoutMs: number;
  /** After how long a vault that failed five times in a row is asked again, in milliseconds. */
  readonly pauseMs?: number;
  /** Told why the vault gave no answer; the text holds nothing of what was sent or received. */
  readonly log: (message: string) => void;
}

// In the vault's words, strictly: what is no brand and no four digits might be a number that must not enter.
const part = z
  .string()
  .max(200)
  .transform(cleanText)
  .refine((text) => !holdsCardNumber(text));
const owner = z.object(Object.fromEntries(ownerParts.map((name) => [name, part.nullish().catch(undefined)])));
const answers = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("OK"),
    card: z.object({
      brand: z.string().regex(/^[a-z][a-z _-]{0,31}$/),
      last4: z.string().regex(/^\d{4}$/),
      expMonth: z.int().min(1).max(12),
      expYear: z.int().min(2000).max(2199),
    }),
    billing: owner.nullish().catch(undefined),
  }),
  z.object({ status: z.literal("DECLINED") }),
  z.object({ status: z.literal("UNKNOWN") }),
]);

const retries = 2;
const backoff = { initialDelay: 50, maxDelay: 1_000 };
const maxBytes = 16_384;

/**
 * A vault behind HTTP: `POST {url}/cards/describe` with `{"token": "cct_live_…"}` and the secret as a Bearer token. Its
 * answer is a 200 with `{"status": "OK", "card": {"brand": "visa", "last4": "4242", "expMonth": 12, "expYear": 2030}}`,
 * and, where the vault knows the owner, `"billing": {"name": "Ada Lovelace", "line1": …, "country": "US"}` with the parts
 * of `ownerParts`; or with the status `DECLINED` or `UNKNOWN` alone. Anything else is UNAVAILABLE; what may pass, such as a 503, a stall or
 * a lost connection, is first tried again twice, each time after a random while.
 */
export function createHttpVault({ log, ...options }: HttpVaultOptions): CardVault {
  const post = createHttpJson({ ...options, maxBytes });
  const patient = retry(
    handleType(Unreachable, ({ isPassing }) => isPassing),
    { maxAttempts: retries, backoff: new ExponentialBackoff(backoff) },
  );

  return {
    async describe(token, { signal }) {
      // The deadline of the call is its own, no failure of the vault.
      const deadline = AbortSignal.timeout(Math.max(0, Math.ceil(deadlineLeft() ?? 60_000)));
      const ended = AbortSignal.any([signal, deadline]);
      const ask = () => post("/cards/describe", { token }, { expected: [200], signal: ended });
      try {
        const { body } = await patient.execute(ask, ended);
        return cardOf(body);
      } catch (error) {
        if (signal.aborted) throw callCancelled();
        if (deadline.aborted) throw deadlinePassed();
        if (!(error instanceof Unreachable)) throw error;
        log(error.message);
        throw unavailable();
      }
    },
  };
}

function cardOf(body: unknown) {
  const { success, data } = answers.safeParse(body);
  if (!success) throw new Unreachable("its answer is not one of the vault's protocol");
  if (data.status === "OK") return { ...data.card, ...(data.billing && { billing: ownerOf(data.billing) }) };
  return data.status === "DECLINED" ? ("declined" as const) : undefined;
}

// Blank parts are none, and so is a country that does not exist.
function ownerOf(given: Readonly<Record<string, string | null | undefined>>): CardOwner {
  const parts = { ...given, country: countryCode(given.country ?? "") };
  return Object.fromEntries(Object.entries(parts).filter(([, text]) => text));
}
