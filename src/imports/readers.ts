import { clientele } from "./clientele.js";
import { digitalRiver } from "./digital-river.js";
import { elasticPath } from "./elastic-path.js";
import { fourGeeks } from "./four-geeks.js";
import type { Reader } from "./source-row.js";
import { stripe } from "./stripe.js";

/** Whose customer objects can be imported. The name is also that of the reference to an id there. */
export const readers: ReadonlyMap<string, Reader> = new Map([
  ["clientele", clientele],
  ["stripe", stripe],
  ["digital-river", digitalRiver],
  ["four-geeks", fourGeeks],
  ["elastic-path", elasticPath],
]);
