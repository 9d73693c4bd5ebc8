import { refusal } from "./refusal.js";

/** How far ahead of ours the clock of a source may be. */
const skewMs = 300_000;

/** A time of a source. Throws a refusal if it has not come. */
export function pastTime(time: Date | undefined, field: string, now: Date): Date | undefined {
  if (time !== undefined && time.getTime() > now.getTime() + skewMs) {
    throw refusal("FIELDS_INVALID", "must not be in the future", field);
  }
  return time;
}
