import { expect } from "vitest";
import { type Addresses, type Clients, clientsOn, transports } from "./clientele.js";
import { type Failure, failureOf } from "./errors.js";

/** The outcomes of parallel calls. */
export interface Outcomes<Answer> {
  readonly answers: readonly Answer[];
  readonly failures: readonly Failure[];
}

/** Clients that each have a connection of their own. */
export function createCallers(addresses: Addresses, key: string, count = 50): Clients[] {
  return Array.from({ length: count }, () => clientsOn(transports["Connect in binary"]!(addresses, key)));
}

/** Makes one call per caller, all at once. None may fail for a reason that is ours, not the caller's. */
export async function allAtOnce<Caller, Answer>(
  callers: readonly Caller[],
  call: (caller: Caller, index: number) => Promise<Answer>,
): Promise<Outcomes<Answer>> {
  const answers: Answer[] = [];
  const failures: Failure[] = [];
  await Promise.all(
    callers.map(async (caller, index) => {
      const answer = call(caller, index);
      await answer.then(
        (value) => answers.push(value),
        async () => failures.push(await failureOf(answer)),
      );
    }),
  );
  const ours = ["Internal", "Unknown", "DeadlineExceeded", "Unavailable"];
  expect(failures.filter(({ code }) => ours.includes(code))).toEqual([]);
  return { answers, failures };
}
