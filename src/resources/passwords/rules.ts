import { create } from "@bufbuild/protobuf";
import { CustomerSchema, type UpdateCustomerRequest } from "../../../gen/clientele/v1/customers_pb.js";
import { countCharacters } from "../../formats/characters.js";
import { invalidField, requiredMessage } from "../../rpc/errors.js";

/** The path of a password in a mask and in events. */
export const passwordPath = "password";

/** The shortest password, in characters. */
export const minCharacters = 8;
/** The longest one, in bytes of UTF-8. */
export const maxBytes = 256;

/** Throws INVALID_ARGUMENT unless a text may become a password. Any characters may stand in it, spaces too. */
export function requirePassword(password: string, field: string): void {
  if (password === "") throw invalidField(field, requiredMessage);
  if (countCharacters(password) < minCharacters)
    throw invalidField(field, `must be at least ${minCharacters} characters`);
  if (Buffer.byteLength(password) > maxBytes) throw invalidField(field, `must be at most ${maxBytes} bytes`);
}

/**
 * Takes the password out of an update: the one to write, if the update writes one, and the request without it. A mask of
 * everything does not remove what nobody can read.
 */
export function cutPassword(req: UpdateCustomerRequest) {
  const { customer, updateMask } = req;
  const password = customer?.password ?? "";
  const paths = updateMask?.paths ?? [];
  const isNamed = paths.includes(passwordPath);
  const writes = isNamed || (password !== "" && (paths.length === 0 || paths.includes("*")));
  const others = paths.filter((path) => path !== passwordPath);
  if (writes) requirePassword(password, "customer.password");
  // No mask at all would mean every field.
  const { id = "", etag = "" } = customer ?? {};
  const { updateMask: _, ...unmasked } = req;
  const nothing: UpdateCustomerRequest = { ...unmasked, customer: create(CustomerSchema, { id, etag }) };
  const rest = isNamed && updateMask ? { ...req, updateMask: { ...updateMask, paths: others } } : req;
  return { password: writes ? password : undefined, rest: isNamed && others.length === 0 ? nothing : rest };
}
