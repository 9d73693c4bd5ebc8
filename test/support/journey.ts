import type { DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { failureOf } from "./errors.js";
import type { Call } from "./ways.js";

/** One call of a merchant's life, and what becomes of it. */
export interface Step<Kept> {
  readonly name: string;
  readonly method: DescMethodUnary;
  /** The request, made of what earlier steps have kept. */
  readonly ask: (kept: Kept) => JsonObject;
  /** Fields that the answer holds. */
  readonly want?: (kept: Kept) => object;
  /** Fields that the answer must not hold. */
  readonly without?: (kept: Kept) => object;
  /** The expected error. */
  readonly refused?: object;
  /** Values of the answer for later steps. */
  readonly keep?: (answer: JsonObject) => Partial<Kept>;
}

/** Makes the calls one after the other, and fails with the name of the first that becomes something else. */
export async function walk<Kept extends object>(call: Call, steps: readonly Step<Kept>[], start: Kept): Promise<Kept> {
  let kept = start;
  for (const { name, method, ask, want, without, refused, keep } of steps) {
    const answer = call(method, ask(kept));
    if (refused !== undefined) {
      expect(await failureOf(answer), name).toMatchObject(refused);
      continue;
    }
    const given = (await answer.catch((error: unknown) => expect.fail(`${name}: ${error}`))) as JsonObject;
    expect(given, name).toMatchObject(want?.(kept) ?? {});
    if (without !== undefined) expect(given, name).not.toMatchObject(without(kept));
    kept = { ...kept, ...keep?.(given) };
  }
  return kept;
}

/** The id of a resource in an answer. */
export const idOf = (resource: unknown): string => String(Object(resource).id);
