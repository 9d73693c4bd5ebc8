/** No literal of a double needs more characters. */
const longest = 1_000;

/** Whether a double keeps a decimal number as it is written: every digit, and neither infinity nor an unwritten zero. */
export function isExactNumber(text: string): boolean {
  if (text.length > longest) return false;
  const value = Number(text);
  return Number.isFinite(value) && decimalOf(text) === decimalOf(String(value));
}

// The same text for every spelling of a number: its digits without outer zeros, and the power of ten of the last one.
function decimalOf(text: string): string | undefined {
  const [match, sign, whole, fraction = "", exponent = "0"] =
    /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text.trim()) ?? [];
  if (match === undefined) return undefined;
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return "0";
  const power = Number(exponent) - fraction.length + digits.length - significant.length;
  return `${sign === "-" ? "-" : ""}${significant}e${power}`;
}
