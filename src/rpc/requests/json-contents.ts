import { holdsCardNumber, isCardNumberAsNumber } from "../../formats/card-numbers.js";
import { type Findings, textFault } from "./findings.js";

/** The limit of a JSON object in a request: above that of a stored one, so that a patch may also delete. */
export const maxJsonChars = 131_072;
// The least that a value takes beside its texts: a comma, a colon, quotes.
const charsPerValue = 4;

/** Whether a JSON object is larger than any rule allows. It stops at the limit, however much follows. */
export function isLargeJson(json: object): boolean {
  let left = maxJsonChars;
  const open: unknown[] = [json];
  while (open.length > 0 && left >= 0) {
    const value = open.pop();
    left -= typeof value === "string" ? value.length + charsPerValue : charsPerValue;
    if (typeof value !== "object" || value === null) continue;
    for (const key in value) {
      left -= Array.isArray(value) ? 0 : key.length;
      open.push(Reflect.get(value, key));
      if (left < charsPerValue * open.length) return true;
    }
  }
  return left < 0;
}

/** Notes the card numbers in a value of JSON, and what cannot be stored. A path never holds a key that is refused. */
export function inspectJson(value: unknown, path: string, findings: Findings): void {
  if (typeof value === "string") {
    const description = textFault(value);
    if (description !== undefined) findings.faults.push({ field: path, description });
    if (holdsCardNumber(value)) findings.cards.push(path);
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) findings.faults.push({ field: path, description: "must be a finite number" });
    else if (isCardNumberAsNumber(value)) findings.cards.push(path);
  } else if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) inspectJson(value[index], `${path}[${index}]`, findings);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) inspectEntry(key, inner, path, findings);
  }
}

function inspectEntry(key: string, value: unknown, path: string, findings: Findings): void {
  if (textFault(key) !== undefined) findings.faults.push({ field: path, description: "has a key that is not text" });
  else if (holdsCardNumber(key)) findings.cards.push(path);
  else inspectJson(value, `${path}.${key.slice(0, 40)}`, findings);
}
