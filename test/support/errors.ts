import { Code, ConnectError } from "@connectrpc/connect";
import { expect } from "vitest";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { reasons } from "../../src/rpc/errors.js";

/** The status of a failed call. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly reason: string;
  /** Paths of the wrong fields, with what is wrong with them. */
  readonly fields: Readonly<Record<string, string>>;
  readonly retryable: boolean;
}

/** Waits for a call to fail, and checks on the way that it has exactly one ErrorInfo with a reason of the table (I10). */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    () => expect.fail("the call succeeded"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConnectError)) throw error;
  const infos = error.findDetails(ErrorInfoSchema);
  expect(infos, `${Code[error.code]}: ${error.rawMessage}`).toHaveLength(1);
  const reason = infos[0]!.reason;
  expect(reasons).toHaveProperty(reason, error.code);
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  return {
    code: Code[error.code],
    message: error.rawMessage,
    reason,
    fields: Object.fromEntries(violations.map(({ field, description }) => [field, description])),
    retryable: error.findDetails(RetryInfoSchema).length > 0,
  };
}
