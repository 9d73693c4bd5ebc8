import { z } from "zod";
import { createHttpJson, type HttpJsonOptions, Unreachable } from "./http-json.js";

/** The number to verify, without a hint of its customer. */
export interface TaxNumber {
  /** Such as `de_vat`. */
  readonly type: string;
  /** In the form in which it is kept, such as `136695976`. */
  readonly value: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
}

interface Question {
  /** The half of the account that asks. */
  readonly liveMode: boolean;
  /** How often it was asked about the number, this time included: from 1 on. */
  readonly attempt: number;
}

/** Tells whether a tax authority knows a number. */
export interface TaxVerifier {
  /** Whether there is anybody to ask for that half of an account. */
  serves(liveMode: boolean): boolean;
  /** Whether the authority knows the number. Throws Unreachable while nobody can say. */
  verify(number: TaxNumber, question: Question): Promise<boolean>;
}

/** The verifier of a deployment: the sandbox for test halves, and for live ones the real one if there is one. */
export function createTaxVerifier(http: HttpJsonOptions | undefined): TaxVerifier {
  const sandbox = createSandboxTaxVerifier();
  const real = http && createHttpTaxVerifier(http);
  const of = (liveMode: boolean) => (liveMode ? real : sandbox);
  return {
    serves: (liveMode) => of(liveMode) !== undefined,
    async verify(number, question) {
      const verifier = of(question.liveMode);
      if (verifier === undefined) throw new Unreachable("there is no verifier for live numbers");
      return await verifier(number, question);
    },
  };
}

type Verify = TaxVerifier["verify"];

/**
 * A verifier for tests that asks nobody. It knows every number but one with `404` in it. One with `503` in it is an
 * outage that ends: it answers the third time it is asked. One with `504` in it is an outage that does not.
 */
function createSandboxTaxVerifier(): Verify {
  return async ({ value }, { attempt }) => {
    if (value.includes("504") || (value.includes("503") && attempt < 3)) {
      throw new Unreachable("the sandbox plays an outage");
    }
    return !value.includes("404");
  };
}

const answer = z.object({ state: z.enum(["VERIFIED", "NOT_VALID"]) });

/**
 * A verifier elsewhere: `POST {url}/verify` with `{"type", "value", "country"}` and the secret as a Bearer token, which
 * answers `{"state": "VERIFIED"}` or `{"state": "NOT_VALID"}`. Everything else is an outage.
 */
function createHttpTaxVerifier(options: HttpJsonOptions): Verify {
  const post = createHttpJson(options);
  return async ({ type, value, country }) => {
    const { body } = await post("/verify", { type, value, country }, { expected: [200] });
    const parsed = answer.safeParse(body);
    if (!parsed.success) throw new Unreachable("its answer is not what was agreed");
    return parsed.data.state === "VERIFIED";
  };
}
