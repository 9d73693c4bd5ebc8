import { invalidField } from "../errors.js";
import { refuseCardNumber } from "../requests/card-numbers.js";

/** One change of one resource, before it is written; never a personal value. */
export interface EventDraft {
  /** The resource and what became of it, such as `thing.updated`. */
  readonly type: string;
  /** Paths of the message, in snake_case. */
  readonly changedPaths: readonly string[];
  /** The actor: the id of a key or a customer token, or `system`. */
  readonly actor: string;
  /** The kind of the actor's credential; absent for the system. */
  readonly actorKind?: "secret_key" | "publishable_key" | "customer_token";
  /** The code that the caller gave as the reason. */
  readonly reason?: string;
  readonly time: Date;
}

/** The drafts of events of changes that the service makes without a caller. */
export function systemEvent(now: Date): (type: string, changedPaths?: readonly string[]) => EventDraft {
  return (type, changedPaths = []) => ({ type, changedPaths, ...systemOrigin(now) });
}

/** The part of a draft that many events of one change by the service share. */
export function systemOrigin(now: Date): Omit<EventDraft, "type" | "changedPaths"> {
  return { actor: "system", time: now };
}

const header = "x-reason";

/**
 * The reason that a caller gives for a change; undefined if there is none. It is a code, so that it cannot be a sentence
 * about somebody, or an e-mail address. Throws INVALID_ARGUMENT.
 */
export function changeReasonOf(headers: Headers): string | undefined {
  const reason = headers.get(header);
  if (reason === null || reason === "") return undefined;
  if (!/^[A-Za-z0-9._:/#-]{1,100}$/.test(reason)) {
    throw invalidField(header, "must be a code of 1 to 100 letters, digits and . _ : / # -");
  }
  refuseCardNumber(reason, header);
  return reason;
}
