import { withoutDeadline } from "../db/deadline.js";

/** Values that may be as old as the cache allows, each loaded once however many ask for it at a time. */
export interface TtlCache<Value> {
  /** The value itself where it is at hand, so that a hit costs no promise. */
  get(key: string): Value | Promise<Value>;
  /** The value if it is at hand, and undefined else. */
  peek(key: string): Value | undefined;
  forget(key: string): void;
  clear(): void;
}

export interface TtlCacheOptions {
  readonly ttlMs: number;
  /** The most values, and the most misses. */
  readonly maxSize: number;
  /** How long it is remembered that there is no value; not at all unless given. */
  readonly missTtlMs?: number;
}

interface Entry<Value> {
  readonly expires: number;
  /** Undefined while it loads. */
  value: Value | undefined;
  readonly loading: Promise<Value>;
}

/**
 * A cache of values that are loaded by key; `last` is the expired value, if the cache still has it. Neither a failed load
 * nor a value that is forgotten while it loads is stored. Misses have a place of their own, so that unknown keys drive no
 * value out.
 */
export function createTtlCache<Value>(
  load: (key: string, last: Value | undefined) => Promise<Value>,
  { ttlMs, maxSize, missTtlMs = 0 }: TtlCacheOptions,
): TtlCache<Value> {
  const entries = new Map<string, Entry<Value>>();
  const misses = new Map<string, number>();

  return {
    peek(key) {
      const entry = entries.get(key);
      return entry !== undefined && entry.expires > performance.now() ? entry.value : undefined;
    },
    get(key) {
      const now = performance.now();
      const entry = entries.get(key);
      if (entry !== undefined && entry.expires > now) return entry.value ?? entry.loading;
      if (misses.size > 0 && (misses.get(key) ?? 0) > now) return undefined as Value;
      return begin(key, now, entry?.value);
    },
    forget(key) {
      entries.delete(key);
      misses.delete(key);
    },
    clear() {
      entries.clear();
      misses.clear();
    },
  };

  function begin(key: string, now: number, last: Value | undefined): Promise<Value> {
    // The first caller's deadline is not that of the others.
    const loading = withoutDeadline(() => load(key, last));
    const entry: Entry<Value> = { expires: now + ttlMs, value: undefined, loading };
    put(entries, key, entry);
    const drop = () => {
      if (entries.get(key) === entry) entries.delete(key);
    };
    loading.then((value) => {
      entry.value = value;
      if (value !== undefined) return;
      if (missTtlMs > 0 && entries.get(key) === entry) put(misses, key, performance.now() + missTtlMs);
      drop();
    }, drop);
    return loading;
  }

  function put<Kept>(map: Map<string, Kept>, key: string, value: Kept): void {
    map.delete(key);
    map.set(key, value);
    // A Map keeps the order of insertion: the first is the oldest.
    for (const oldest of map.keys()) {
      if (map.size <= maxSize) break;
      map.delete(oldest);
    }
  }
}
