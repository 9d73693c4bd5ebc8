import { type DescField, type DescMessage, type DescMethod, isMessage, type Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import type { Interceptor } from "@connectrpc/connect";
import { accessDenied, notFound, notPermitted } from "../errors.js";
import { isInputOnly, isServerField } from "../requests/plan.js";
import { type Caller, type CallerKind, callerKey } from "./caller.js";

/** The callers of a method, and its limits for callers without a secret key. */
export interface AccessRule {
  readonly callers: readonly CallerKind[];
  /** How a call names the subject that it is about. A method that customer tokens may call must say so. */
  readonly subject?: NamedSubject;
  /** The fields of one message that such callers may write; absent for all. */
  readonly writes?: WritableFields;
}

/**
 * How a request names its subject: by a field, such as `user_id` or `user.id`. A customer token names its own subject by
 * the id or by `me`, and by leaving an optional field empty. A publishable key names none. `by row`: the request names a
 * resource, which the handler looks up among the rows of the caller's subject. `nobody`: it concerns no subject.
 */
export type NamedSubject = { readonly field: string; readonly isOptional: boolean } | "by row" | "nobody";

/** Fields of a message in the request. A field that no caller writes may be sent back as it was read. */
export interface WritableFields {
  readonly message: string;
  readonly fields: readonly string[];
}

/** The rule for a method; one without callers if no table names it. */
export type AccessOf = (method: DescMethod) => AccessRule;

/**
 * Keeps callers without a secret key to what is theirs. Another subject answers NOT_FOUND, whether it exists or not;
 * a field that is not theirs to write is PERMISSION_DENIED. `subjectName` is the word for a subject in these errors.
 */
export function ownInterceptor(accessOf: AccessOf, subjectName: string): Interceptor {
  return (next) => async (req) => {
    const caller = req.contextValues.get(callerKey);
    if (caller === undefined || caller.kind === "secret_key") return await next(req);
    const rule = accessOf(req.method);
    if (caller.kind === "customer_token" && rule.subject === undefined) throw accessDenied();
    const { input } = req.method;
    const check = (message: Message) => restrict(input, message, caller, rule, subjectName);
    if (req.stream) return await next({ ...req, message: checkEach(req.message, check) });
    check(req.message);
    return await next(req);
  };
}

async function* checkEach(messages: AsyncIterable<Message>, check: (message: Message) => void): AsyncIterable<Message> {
  for await (const message of messages) {
    check(message);
    yield message;
  }
}

function restrict(
  schema: DescMessage,
  message: Message,
  caller: Caller,
  { subject, writes }: AccessRule,
  subjectName: string,
): void {
  const request = reflect(schema, message);
  if (typeof subject === "object") requireOwn(request, caller, subject, subjectName);
  if (writes === undefined) return;
  const identity = typeof subject === "object" ? subject.field : undefined;
  requireWritable(request, writes, (path) => path === identity);
}

// No subject has it as an id.
const self = "me";

function requireOwn(
  request: ReflectMessage,
  caller: Caller,
  { field, isOptional }: Extract<NamedSubject, object>,
  subjectName: string,
): void {
  const place = placeOf(request, field);
  const named = place === undefined ? "" : String(place.message.get(place.field));
  if (caller.subjectId === undefined) {
    if (named !== "") throw accessDenied(`It takes the ${subjectName}'s own token to name a ${subjectName}.`);
  } else if (named === self || (named === "" && isOptional)) {
    place?.message.set(place.field, caller.subjectId);
  } else if (named !== caller.subjectId) {
    throw notFound(subjectName);
  }
}

// The last message on a path, and its field; undefined where a message on the way is absent.
function placeOf(request: ReflectMessage, path: string): { message: ReflectMessage; field: DescField } | undefined {
  const names = path.split(".");
  const last = names.pop();
  let message = request;
  for (const name of names) {
    const field = message.desc.fields.find((one) => one.name === name);
    if (field?.fieldKind !== "message" || !message.isSet(field)) return undefined;
    message = message.get(field);
  }
  const field = message.desc.fields.find((one) => one.name === last);
  if (field === undefined) throw new Error(`${request.desc.typeName} has no field ${path}`);
  return { message, field };
}

// By the mask if there is one, as an update reads it; else by what is populated.
function requireWritable(
  request: ReflectMessage,
  { message, fields }: WritableFields,
  isIdentity: (path: string) => boolean,
): void {
  const place = placeOf(request, message);
  if (place?.field.fieldKind !== "message" || !place.message.isSet(place.field)) return;
  const inner = place.message.get(place.field);
  const masked = new Set(maskOf(request).map((path) => path.split(".", 1)[0]));
  // An input-only field, such as a password, is in no answer, so its absence clears nothing.
  const isCleared = (field: DescField) => masked.has("*") && !isInputOnly(field);
  const isWritten = (field: DescField) =>
    masked.has(field.name) || (inner.isSet(field) ? masked.size === 0 || masked.has("*") : isCleared(field));
  const refused = inner.fields.filter(
    (field) =>
      isWritten(field) &&
      !fields.includes(field.name) &&
      !isServerField(field) &&
      !isIdentity(`${message}.${field.name}`),
  );
  if (refused.length > 0) throw notPermitted(refused.map(({ name }) => `${message}.${name}`));
}

function maskOf(request: ReflectMessage): readonly string[] {
  const masks = request.fields.map((field) => field.fieldKind === "message" && request.get(field).message);
  return masks.find((mask) => isMessage(mask, FieldMaskSchema))?.paths ?? [];
}

/** Whether a request can name its subject as a rule says; for the table, which is checked before the first call. */
export function hasField(schema: DescMessage, path: string): boolean {
  const [name, ...rest] = path.split(".");
  const field = schema.fields.find((one) => one.name === name);
  if (field === undefined || rest.length === 0) return field !== undefined;
  return field.message !== undefined && hasField(field.message, rest.join("."));
}
