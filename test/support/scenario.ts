import type { DescMethod, DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { services } from "../../src/routes.js";
import { requests } from "./requests.js";
import type { World } from "./world.js";

/** Every method of the contract that takes one request and gives one answer. */
export const methods: readonly DescMethodUnary[] = services.flatMap((service) =>
  service.methods.filter((method): method is DescMethodUnary => method.methodKind === "unary"),
);

/** Methods that change nothing. */
export const reads = methods.filter(isRead);

/** Methods that change something. */
export const mutations = methods.filter((method) => !isRead(method));

/** The cases of `test.for`: each method under its name, such as `CustomerService.GetCustomer`. */
export function casesOf(among: readonly DescMethodUnary[]) {
  return among.map((method) => ({ name: nameOf(method), method }));
}

/** Such as `CustomerService.GetCustomer`. */
export function nameOf(method: DescMethod): string {
  return `${method.parent.name}.${method.name}`;
}

// A look-up of a secret value is no side effect either, although it must not stand in a URL.
function isRead(method: DescMethod): boolean {
  const { NO_SIDE_EFFECTS } = MethodOptions_IdempotencyLevel;
  return method.idempotency === NO_SIDE_EFFECTS || /^(Get|List|Search|Preview)(?!Or)/.test(method.name);
}

/** A request for a method, in proto JSON. Fails the test of a method that has none here: give it one. */
export function requestFor(method: DescMethod, world: World): JsonObject {
  const request = requests[nameOf(method)];
  return request?.(world) ?? expect.fail(`test/support/requests.ts has no request for ${nameOf(method)}`);
}

/** The request of a method, changed in one text so that it is valid and another one. */
export function otherRequest(request: JsonObject): JsonObject {
  const path = firstText(request) ?? expect.fail("the request has no text to change");
  return replaceAt(request, path, (text) => `${text}0`) as JsonObject;
}

function firstText(value: unknown, path: readonly string[] = []): readonly string[] | undefined {
  if (typeof value === "string") return path;
  const inner = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return inner.map(([key, next]) => firstText(next, [...path, key])).find((found) => found !== undefined);
}

/** A request in which the field at a path is another; what is an alternative to it is left out. */
export function replaceField(
  method: DescMethod,
  request: JsonObject,
  path: readonly string[],
  by: (before: unknown) => unknown,
): JsonObject {
  const alternatives = method.input.fields.find(({ jsonName }) => jsonName === path[0])?.oneof?.fields ?? [];
  const left = alternatives.map(({ jsonName }) => jsonName).filter((name) => name !== path[0]);
  const rest = Object.fromEntries(Object.entries(request).filter(([name]) => !left.includes(name)));
  return replaceAt(rest, path, by) as JsonObject;
}

/** A copy of a JSON value in which what lies at a path is another; what is missing on the way is made. */
export function replaceAt(
  value: unknown,
  [key, ...rest]: readonly string[],
  by: (before: unknown) => unknown,
): unknown {
  if (key === undefined) return by(value);
  if (Array.isArray(value)) return value.map((item, at) => (String(at) === key ? replaceAt(item, rest, by) : item));
  const object = Object(value ?? {});
  return { ...object, [key]: replaceAt(object[key], rest, by) };
}
