import type { DescMessage } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ErrorReason } from "../../gen/clientele/v1/errors_pb.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import { withoutCardNumbers } from "../formats/card-numbers.js";

/** The `domain` of every ErrorInfo. */
const domain = "clientele";

/** The status of every reason of `ErrorReason` (AIP-193). Both lists name the same reasons, or this does not compile. */
export const reasons = {
  // The request itself is wrong.
  FIELDS_INVALID: Code.InvalidArgument,
  ID_TOO_LONG: Code.InvalidArgument,
  PAGE_TOKEN_INVALID: Code.InvalidArgument,
  FILTER_INVALID: Code.InvalidArgument,
  ORDER_BY_INVALID: Code.InvalidArgument,
  CURSOR_INVALID: Code.InvalidArgument,
  IDEMPOTENCY_KEY_INVALID: Code.InvalidArgument,
  CARD_NUMBER_GIVEN: Code.InvalidArgument,
  PHOTO_INVALID: Code.InvalidArgument,
  PHOTO_TOO_LARGE: Code.InvalidArgument,
  PASSWORD_WRONG: Code.InvalidArgument,
  TAX_CERTIFICATE_FILE_INVALID: Code.InvalidArgument,
  TAX_CERTIFICATE_FILE_TOO_LARGE: Code.InvalidArgument,
  REQUEST_MALFORMED: Code.InvalidArgument,
  // The caller.
  CREDENTIALS_MISSING: Code.Unauthenticated,
  CREDENTIALS_INVALID: Code.Unauthenticated,
  LOGIN_FAILED: Code.Unauthenticated,
  LOGIN_DELAYED: Code.ResourceExhausted,
  IDENTITY_NOT_CONFIRMED: Code.Unauthenticated,
  ACCESS_DENIED: Code.PermissionDenied,
  ORIGIN_NOT_ALLOWED: Code.PermissionDenied,
  FIELDS_NOT_PERMITTED: Code.PermissionDenied,
  // Stored resources.
  RESOURCE_NOT_FOUND: Code.NotFound,
  NOTHING_FOUND: Code.NotFound,
  CUSTOMER_ID_TAKEN: Code.AlreadyExists,
  EMAIL_TAKEN: Code.AlreadyExists,
  EXTERNAL_REFERENCE_TAKEN: Code.AlreadyExists,
  PAYMENT_METHOD_ATTACHED: Code.AlreadyExists,
  CUSTOM_FIELD_SLUG_TAKEN: Code.AlreadyExists,
  TAX_IDENTIFIER_TYPE_TAKEN: Code.AlreadyExists,
  ETAG_STALE: Code.Aborted,
  CONFLICT: Code.Aborted,
  // The rules and the settings.
  CLIENT_ASSIGNED_IDS_OFF: Code.FailedPrecondition,
  EMAIL_IMMUTABLE: Code.FailedPrecondition,
  SETTINGS_VIOLATED: Code.FailedPrecondition,
  CUSTOMER_DELETED: Code.FailedPrecondition,
  CUSTOMER_NOT_DELETED: Code.FailedPrecondition,
  CUSTOMER_DISABLED: Code.FailedPrecondition,
  ADDRESS_LIMIT_REACHED: Code.FailedPrecondition,
  PAYMENT_METHOD_UNAVAILABLE: Code.FailedPrecondition,
  PAYMENT_METHOD_CONSUMED: Code.FailedPrecondition,
  CARD_DECLINED: Code.FailedPrecondition,
  CARD_VAULT_MISSING: Code.FailedPrecondition,
  PAYMENT_METHOD_MODE_MISMATCH: Code.FailedPrecondition,
  ATTACHMENT_IMPLICIT_ONLY: Code.FailedPrecondition,
  ATTACHMENT_EXPLICIT_ONLY: Code.FailedPrecondition,
  WEBHOOK_ENDPOINT_LIMIT_REACHED: Code.FailedPrecondition,
  SECRET_KEY_MISSING: Code.FailedPrecondition,
  TAX_IDENTIFIER_ATTACHED: Code.FailedPrecondition,
  TAX_IDENTIFIER_NOT_VERIFIED: Code.FailedPrecondition,
  TAX_CERTIFICATE_LIMIT_REACHED: Code.FailedPrecondition,
  CHECKOUT_NOT_PENDING: Code.FailedPrecondition,
  CHECKOUT_EXPIRED: Code.FailedPrecondition,
  SHIPPING_MISSING: Code.FailedPrecondition,
  PAYMENT_METHOD_NOT_CHARGEABLE: Code.FailedPrecondition,
  CUSTOM_FIELD_LIMIT_REACHED: Code.FailedPrecondition,
  CUSTOM_FIELD_IMMUTABLE: Code.FailedPrecondition,
  IDENTITY_UNKNOWN: Code.FailedPrecondition,
  IDENTITY_NOT_LINKED: Code.FailedPrecondition,
  IDENTITY_INCOMPLETE: Code.FailedPrecondition,
  IDENTITY_PROVIDER_UNKNOWN: Code.FailedPrecondition,
  IDEMPOTENCY_KEY_REUSED: Code.FailedPrecondition,
  IDEMPOTENCY_KEY_ERASED: Code.FailedPrecondition,
  ERASURE_NOT_CANCELLABLE: Code.FailedPrecondition,
  // The service.
  METHOD_UNKNOWN: Code.Unimplemented,
  CALL_CANCELLED: Code.Canceled,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  MESSAGE_TOO_LARGE: Code.ResourceExhausted,
  WATCHES_EXHAUSTED: Code.ResourceExhausted,
  QUEUE_FULL: Code.ResourceExhausted,
  UNAVAILABLE: Code.Unavailable,
  INTERNAL: Code.Internal,
} as const satisfies Record<Exclude<keyof typeof ErrorReason, "ERROR_REASON_UNSPECIFIED">, Code>;

export type Reason = keyof typeof reasons;

/** One wrong field: its path from the request on, in snake_case, and what is wrong with it. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** One thing that must be changed before the call can succeed: which rule, what breaks it, and how. */
export interface PreconditionViolation {
  readonly type: string;
  readonly subject: string;
  readonly description: string;
}

interface Details {
  readonly metadata?: Record<string, string>;
  readonly violations?: readonly FieldViolation[];
  readonly preconditions?: readonly PreconditionViolation[];
  readonly retryAfterMs?: number;
}

const maxViolations = 100;

/** 4Geeks: the message of a field that must have a value. */
export const requiredMessage = "This field is required.";

/** The request breaks its contract. The message names the first violation, BadRequest the first hundred. */
export function invalidFields(violations: readonly FieldViolation[], reason: Reason = "FIELDS_INVALID"): ConnectError {
  const first = violations[0];
  const message = first === undefined ? "The request is not valid." : messageOf(first);
  return rpcError(reason, message, { violations: violations.slice(0, maxViolations) });
}

// A description that is a sentence stands alone; any other follows its field.
function messageOf({ field, description }: FieldViolation): string {
  return /^[A-Z]/.test(description) ? description : `${field}: ${description}`;
}

/** One field of the request is wrong. */
export function invalidField(field: string, description: string, reason: Reason = "FIELDS_INVALID"): ConnectError {
  return invalidFields([{ field, description }], reason);
}

/** The error of a failure that nobody expected. It tells the client nothing of its cause. */
export function unexpected(): ConnectError {
  return rpcError("INTERNAL", "Something went wrong on our side.");
}

/** The credentials are valid, and not for this call. */
export function accessDenied(message = "These credentials do not permit this call."): ConnectError {
  return rpcError("ACCESS_DENIED", message);
}

/** The credentials permit the call, but not to write these fields; paths from the request on, in snake_case. */
export function notPermitted(fields: readonly string[]): ConnectError {
  const violations = fields.map((field) => ({
    field,
    description: "These credentials do not permit writing this field.",
  }));
  const message = `These credentials do not permit writing ${fields.slice(0, 10).join(", ")}.`;
  return rpcError("FIELDS_NOT_PERMITTED", message, { violations });
}

/** A missing id and another tenant's id get the same message. */
export function notFound(resource: string): ConnectError {
  return rpcError("RESOURCE_NOT_FOUND", `The ${resource} could not be found, please check the id.`, {
    metadata: { resource },
  });
}

/** The state of things forbids it; the reason says which rule, PreconditionFailure what breaks it if there are several. */
export function refused(
  reason: Reason,
  message: string,
  preconditions?: readonly PreconditionViolation[],
): ConnectError {
  return rpcError(reason, message, preconditions && { preconditions });
}

/** Somebody changed the resource since the caller read it. */
export function staleEtag(resource: string): ConnectError {
  return rpcError("ETAG_STALE", `The ${resource} was changed in the meantime, read it again.`, {
    metadata: { resource },
  });
}

/** Concurrent calls kept colliding, or waited too long for each other; the call had no effect. */
export function conflict(): ConnectError {
  return rpcError("CONFLICT", "The call collided with another one, try it again.", { retryAfterMs: 100 });
}

/** Something the service needs cannot be reached. A mutation may have had its effect: retry with its Idempotency-Key. */
export function unavailable(): ConnectError {
  return rpcError("UNAVAILABLE", "The service is not available at the moment, try again.", { retryAfterMs: 1000 });
}

/** The tenant watches as often as it may. */
export function watchesExhausted(limit: number): ConnectError {
  const message = `There are ${limit} watches already, end one of them first.`;
  return rpcError("WATCHES_EXHAUSTED", message, { retryAfterMs: 10_000 });
}

/** The client of a call has gone away. */
export function callCancelled(): ConnectError {
  return rpcError("CALL_CANCELLED", "The call was cancelled.");
}

/** A call has taken longer than its client waits. */
export function deadlinePassed(): ConnectError {
  return rpcError("DEADLINE_EXCEEDED", "The deadline of the call has passed.");
}

/** Too many calls wait for the same costly work. Nothing was done: it may be tried again. */
export function queueFull(): ConnectError {
  return rpcError("QUEUE_FULL", "Too many calls of this kind wait at the moment, try again.", { retryAfterMs: 1000 });
}

/** An error for a reason of the table, with its ErrorInfo. What it quotes of a request loses the numbers of cards. */
export function rpcError(reason: Reason, message: string, details: Details = {}): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { reason, domain, metadata: details.metadata ?? {} } };
  const all: { desc: DescMessage; value: object }[] = [info];
  if (details.violations !== undefined) {
    all.push({ desc: BadRequestSchema, value: { fieldViolations: details.violations.map(withoutCards) } });
  }
  if (details.preconditions !== undefined) {
    all.push({ desc: PreconditionFailureSchema, value: { violations: details.preconditions.map(withoutCards) } });
  }
  if (details.retryAfterMs !== undefined) {
    all.push({ desc: RetryInfoSchema, value: { retryDelay: durationOf(details.retryAfterMs) } });
  }
  const told = withoutCardNumbers(message);
  return new ConnectError(told, reasons[reason], undefined, all as ConstructorParameters<typeof ConnectError>[3]);
}

function withoutCards(violation: FieldViolation | PreconditionViolation): object {
  return Object.fromEntries(Object.entries(violation).map(([name, text]) => [name, withoutCardNumbers(text)]));
}

function durationOf(ms: number) {
  return { seconds: BigInt(Math.trunc(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

/** The reason in an error's ErrorInfo; undefined if it has none. */
export function reasonOf(error: unknown): Reason | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  return error.findDetails(ErrorInfoSchema)[0]?.reason as Reason | undefined;
}

/** The wrong fields that an error names. */
export function violationsOf(error: unknown): FieldViolation[] {
  const [details] = error instanceof ConnectError ? error.findDetails(BadRequestSchema) : [];
  return (details?.fieldViolations ?? []).map(({ field, description }) => ({ field, description }));
}

// Reasons for the errors of Connect itself, by status: they carry no ErrorInfo.
const reasonOfCode: Partial<Record<Code, Reason>> = {
  [Code.InvalidArgument]: "REQUEST_MALFORMED",
  [Code.Unimplemented]: "METHOD_UNKNOWN",
  [Code.Canceled]: "CALL_CANCELLED",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.ResourceExhausted]: "MESSAGE_TOO_LARGE",
  [Code.Unavailable]: "UNAVAILABLE",
};

/** Completes an error that Connect threw: the same status and message, and the ErrorInfo that belongs to it. */
export function withErrorInfo(error: ConnectError): ConnectError | undefined {
  if (reasonOf(error) !== undefined) return error;
  const reason = reasonOfCode[error.code];
  return reason && rpcError(reason, error.rawMessage);
}
