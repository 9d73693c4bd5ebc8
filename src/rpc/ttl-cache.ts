import { withoutDeadline } from "../db/deadline.js";

/** Values that may be as old as the cache allows, each loaded once however many ask for it at a time. */
export interface TtlCache<Value> {
  get(key: string): Promise<Value>;
  forget(key: string): void;
  clear(): void;
}

/**
 * A cache that holds at most `maxSize` values, each for `ttlMs`. A load that fails, or finds nothing, is not kept; a
 * value that is forgotten while it loads is not kept either.
 */
export function createTtlCache<Value>(
  load: (key: string) => Promise<Value>,
  { ttlMs, maxSize }: { readonly ttlMs: number; readonly maxSize: number },
): TtlCache<Value> {
  const entries = new Map<string, { readonly value: Promise<Value>; readonly expires: number }>();

  return {
    get(key) {
      const known = entries.get(key);
      if (known !== undefined && known.expires > performance.now()) return known.value;
      // The first caller's deadline is not that of the others.
      const value = withoutDeadline(() => load(key));
      const entry = { value, expires: performance.now() + ttlMs };
      entries.delete(key);
      entries.set(key, entry);
      const drop = () => {
        if (entries.get(key) === entry) entries.delete(key);
      };
      value.then((found) => found === undefined && drop(), drop);
      // A Map keeps the order of insertion: the first is the oldest.
      for (const oldest of entries.keys()) {
        if (entries.size <= maxSize) break;
        entries.delete(oldest);
      }
      return value;
    },
    forget: (key) => void entries.delete(key),
    clear: () => entries.clear(),
  };
}
