import { readClientele } from "./clientele.js";
import { readDigitalRiver } from "./digital-river.js";
import { readElasticPath } from "./elastic-path.js";
import { readFourGeeks } from "./four-geeks.js";
import type { Reader } from "./source-row.js";
import { readStripe } from "./stripe.js";

/** Whose customer objects can be imported. The name is also that of the reference to an id there. */
export const readers: ReadonlyMap<string, Reader> = new Map([
  ["clientele", readClientele],
  ["stripe", readStripe],
  ["digital-river", readDigitalRiver],
  ["four-geeks", readFourGeeks],
  ["elastic-path", readElasticPath],
]);
