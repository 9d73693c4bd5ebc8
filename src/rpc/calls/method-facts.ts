import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { UrlUse, url_use } from "../../../gen/clientele/options/v1/options_pb.js";

/** Whether a method changes something: its idempotency_level does not say that it has no side effects. */
export function hasEffect(method: DescMethod): boolean {
  return method.idempotency !== Level.NO_SIDE_EFFECTS;
}

/** Whether a request of a method may travel in a URL: a read may, unless its option url_use forbids it. */
export function mayTravelInUrl(method: DescMethod): boolean {
  if (hasEffect(method)) return false;
  return !hasOption(method, url_use) || getOption(method, url_use) !== UrlUse.FORBIDDEN;
}
