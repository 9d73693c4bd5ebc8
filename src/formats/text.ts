// Characters that leave no mark: Unicode's default ignorable ones, the marks of interlinear annotation, a blank of
// Braille.
const invisible = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb\u2800]/gu;
// Joiners shape the letters beside them, as in Persian names and emoji; a variation selector chooses a form of a
// Chinese character, as in Japanese names.
const meaningless =
  /(?!\p{Join_Control}|\p{Variation_Selector})[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb\u2800]/gu;
const looseSelector = /(?<![\p{L}\p{N}\p{S}\p{P}])\p{Variation_Selector}/gu;
const looseJoiner = /(?<![\p{L}\p{M}\p{S}])\p{Join_Control}|\p{Join_Control}(?![\p{L}\p{M}\p{S}])/gu;

/** A text without invisible characters, composed (NFC): what two spellings of an address or a code have in common. */
export function visibleText(text: string): string {
  return isPlain(text) ? text : text.replace(invisible, "").normalize("NFC");
}

/**
 * A name or a line as it is kept: composed (NFC) and trimmed, without invisible characters that mean nothing, on one
 * line. A line break or a tab becomes a space; other control characters are removed. Empty where there is nothing to see.
 */
export function cleanText(text: string): string {
  if (isPlain(text)) return text.trim();
  const line = text.replace(/[\t-\r\x85\u2028\u2029]+/g, " ").replace(/\p{Cc}/gu, "");
  const shown = line.normalize("NFC").replace(meaningless, "").replace(looseSelector, "").replace(looseJoiner, "");
  const clean = shown.normalize("NFC").trim();
  return isBlank(clean) ? "" : clean;
}

/** Whether there is nothing to see in a text. */
export function isBlank(text: string): boolean {
  return text.replace(invisible, "").replace(/[\p{Cc}\p{Z}\s]/gu, "") === "";
}

// Nearly every text is of such characters, which nothing here changes.
function isPlain(text: string): boolean {
  return /^[ -~]*$/.test(text);
}
