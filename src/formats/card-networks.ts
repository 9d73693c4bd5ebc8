import creditCardType from "credit-card-type";

/** Prefixes from `low` to `high`, each of `length` digits. */
interface PrefixRange {
  readonly low: number;
  readonly high: number;
  readonly length: number;
}

// By how long a number is, the prefixes of the networks that have numbers of that length.
const ranges = new Map<number, PrefixRange[]>();
for (const type of Object.values(creditCardType.types)) {
  const { patterns, lengths } = creditCardType.getTypeInfo(type);
  for (const length of lengths) {
    const rangesOfLength = ranges.get(length) ?? [];
    rangesOfLength.push(...patterns.map(rangeOf));
    ranges.set(length, rangesOfLength);
  }
}

/** How many digits the shortest card number has. */
export const shortestCardNumber = Math.min(...ranges.keys());
/** How many digits the longest card number has. */
export const longestCardNumber = Math.max(...ranges.keys());

/** Whether digits have the prefix and the length of a card network. */
export function isOfNetwork(digits: string): boolean {
  return (ranges.get(digits.length) ?? []).some(({ low, high, length }) => {
    const prefix = Number(digits.slice(0, length));
    return low <= prefix && prefix <= high;
  });
}

function rangeOf(pattern: number | number[]): PrefixRange {
  const [low = 0, high = low] = typeof pattern === "number" ? [pattern] : pattern;
  return { low, high, length: String(low).length };
}
