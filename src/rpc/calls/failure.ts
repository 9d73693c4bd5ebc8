import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { classify } from "../../db/errors.js";
import {
  conflict,
  deadlinePassed,
  invalidFields,
  reasonOf,
  unavailable,
  unexpected,
  withErrorInfo,
} from "../errors.js";
import type { Logger } from "../log.js";
import { type CallRecord, recordKey } from "./call-record.js";

/**
 * Whatever a call throws leaves as a status with one ErrorInfo, and stands in the call's record. What nobody expected
 * is INTERNAL for the client and an error in the log.
 */
export function failureInterceptor(logger: Logger): Interceptor {
  return (next) => async (req) => {
    const record = req.contextValues.get(recordKey);
    const failed = (error: unknown): ConnectError => {
      const failure = failureOf(error, logger, record);
      // A call that ended by its deadline is noted already.
      if (record !== undefined && record.code === undefined) {
        Object.assign(record, { code: nameOf(failure.code), reason: reasonOf(failure) });
      }
      return failure;
    };
    try {
      const res = await next(req);
      if (res.stream) return { ...res, message: guarded(res.message, record, failed) };
      if (record !== undefined) record.code ??= "OK";
      return res;
    } catch (error) {
      throw failed(error);
    }
  };
}

// A stream fails, or ends well, while it is read.
async function* guarded<T>(
  messages: AsyncIterable<T>,
  record: CallRecord | undefined,
  failed: (error: unknown) => ConnectError,
): AsyncIterable<T> {
  try {
    yield* messages;
    if (record !== undefined) record.code = "OK";
  } catch (error) {
    throw failed(error);
  }
}

function failureOf(error: unknown, logger: Logger, record: CallRecord | undefined): ConnectError {
  const failure = error instanceof ConnectError ? withErrorInfo(error) : failureOfDatabase(error);
  if (failure !== undefined) return failure;
  logger.error({ error, method: record?.method, traceId: record?.traceId }, "a call failed in a way nobody expected");
  return unexpected();
}

function failureOfDatabase(error: unknown): ConnectError | undefined {
  switch (classify(error)) {
    case "unavailable":
      return unavailable();
    case "deadline":
      return deadlinePassed();
    case "aborted":
    case "retry":
      return conflict();
    case "invalid":
      return invalidFields([{ field: "", description: "The request holds text that cannot be stored." }]);
    default:
      return undefined;
  }
}

// As gRPC spells it: NotFound is NOT_FOUND.
function nameOf(code: Code): string {
  return (Code[code] ?? "Unknown").replace(/(?<=[a-z])[A-Z]/g, "_$&").toUpperCase();
}
