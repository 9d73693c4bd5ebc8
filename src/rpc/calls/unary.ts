// How a unary call runs, whichever wire brings it:
//
//  1. A listener makes a `UnaryCall` of the header and runs it through the chain of its method.
//  2. The deadline starts: the client's, 10 s without one, at most 60 s (`deadline.ts`).
//  3. The `onHeader` interceptors decide by the header alone who calls, and whether that caller may.
//  4. Only then the body is read and parsed.
//  5. The `onMessage` interceptors check the message and open the call.
//  6. The handler runs; its answer goes back through the same interceptors.
//  7. When the client goes away or the time is over, the call ends at once, and its statements are stopped.
import { create, type Message } from "@bufbuild/protobuf";
import type { Interceptor, MethodImplSpec, UnaryResponse } from "@connectrpc/connect";
import { withinDeadline } from "./deadline.js";
import { UnaryAnswer, type UnaryCall } from "./unary-call.js";

/** The interceptors of every call; the first is the outermost. */
export interface Interceptors {
  /** They see the header alone: of a unary call no byte of the body is read yet. */
  readonly onHeader: readonly Interceptor[];
  /** They see the message, too. */
  readonly onMessage: readonly Interceptor[];
}

/** Runs a call to its answer. Rejects with what a handler or an interceptor throws, or when the deadline has passed. */
export type RunUnary = (call: UnaryCall) => Promise<Message>;

type Step = (call: UnaryCall) => Promise<UnaryResponse>;

/** Puts the chain of a method together, once for all its calls. */
export function unaryChain(
  { method, impl }: Extract<MethodImplSpec, { kind: "unary" }>,
  { onHeader, onMessage }: Interceptors,
): RunUnary {
  const answer = async (call: UnaryCall) =>
    new UnaryAnswer(call, create(method.output, await impl(call.message, call)));
  const checked = wrap(answer, onMessage);
  const readAndCheck = async (call: UnaryCall) => {
    await call.read();
    return await checked(call);
  };
  const run = wrap(readAndCheck, onHeader);
  return async (call) => (await withinDeadline(call, run)).message;
}

// An interceptor is written for calls of any kind; here it meets unary ones alone.
function wrap(innermost: Step, interceptors: readonly Interceptor[]): Step {
  return interceptors.reduceRight((next, interceptor) => interceptor(next as never) as unknown as Step, innermost);
}
