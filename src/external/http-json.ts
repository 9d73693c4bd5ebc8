import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleType } from "cockatiel";

/** Another system gave no answer that can be used. The message says why, and nothing of what was sent or received. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";

  /** `isPassing` says whether it may help to ask again at once. */
  constructor(
    message: string,
    readonly isPassing = true,
  ) {
    super(message);
  }
}

export interface HttpJsonOptions {
  /** Where the other system is, such as `https://tax.example/v1`. */
  readonly url: string;
  /** Sent as a Bearer token; absent to send none. */
  readonly secret: string | undefined;
  /** How long an answer may take, to its last byte, in milliseconds. */
  readonly timeoutMs?: number;
  /** After how long a system that failed five times in a row is asked again, in milliseconds. */
  readonly pauseMs?: number;
  /** The largest answer, in bytes. */
  readonly maxBytes?: number;
}

/** The answer of another system. */
export interface JsonAnswer {
  readonly status: number;
  /** The parsed JSON, of any shape; undefined unless the status is 2xx. */
  readonly body: unknown;
}

/**
 * Posts JSON to a path below the URL. `expected` are the statuses that mean something; any other one is no answer, and so
 * are a redirect, a body that is not JSON, one that is too large, a stall and a lost connection: it throws Unreachable
 * then. Throws the reason of `signal` if that ends it.
 */
export type PostJson = (
  path: string,
  body: object,
  options: { readonly expected: readonly number[]; readonly signal?: AbortSignal },
) => Promise<JsonAnswer>;

const failuresInARow = 5;

/** Makes the way to another system; one for the process, since it remembers whether that system is down. */
export function createHttpJson(options: HttpJsonOptions): PostJson {
  const { url, secret, timeoutMs = 5_000, pauseMs = 10_000, maxBytes = 64 * 1024 } = options;
  // A refusal is no outage: otherwise one client's invalid token would open the circuit for all.
  const isDown = handleType(Unreachable, ({ isPassing }) => isPassing);
  const breaker = circuitBreaker(isDown, {
    breaker: new ConsecutiveBreaker(failuresInARow),
    halfOpenAfter: pauseMs,
  });

  return async (path, body, { expected, signal }) => {
    signal?.throwIfAborted();
    const answer = breaker.execute(async () => {
      const isTrial = breaker.state !== CircuitState.Closed;
      try {
        return await post(path, body, expected, signal);
      } catch (error) {
        // A call that its caller cancelled proves nothing, and would count as a success.
        throw isTrial && signal?.aborted ? new Unreachable("nobody waited for it") : error;
      }
    });
    try {
      // While one call tries whether the system is back, the breaker lets the others wait for it.
      return await (signal === undefined ? answer : Promise.race([answer, endOf(signal)]));
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof BrokenCircuitError) {
        throw new Unreachable("it failed several times and is left alone", false);
      }
      throw error;
    }
  };

  async function post(path: string, body: object, expected: readonly number[], signal?: AbortSignal) {
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    try {
      const response = await fetch(url.replace(/\/+$/, "") + path, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json",
          ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
        },
        body: JSON.stringify(body),
        redirect: "manual",
        signal: either,
      });
      const { status } = response;
      const text = await textOf(response, maxBytes);
      if (!expected.includes(status)) {
        throw new Unreachable(`it answered with status ${status}`, status >= 500 || status === 408 || status === 429);
      }
      return { status, body: response.ok ? parse(text) : undefined };
    } catch (error) {
      if (error instanceof Unreachable) throw error;
      signal?.throwIfAborted();
      throw new Unreachable(either.aborted ? "it did not answer in time" : "the connection failed");
    }
  }
}

function endOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}

async function textOf(response: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let [text, size] = ["", 0];
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new Unreachable(`its answer is larger than ${maxBytes} bytes`, false);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Unreachable("its answer is not JSON");
  }
}
