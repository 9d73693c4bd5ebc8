/** Whether a text is a day of the calendar as ISO 8601 writes it, such as `2026-02-28`, in the years 0001 to 9999. */
export function isDay(text: string): boolean {
  if (!/^(?!0000)\d{4}-\d\d-\d\d$/.test(text)) return false;
  // Date would take the 30th of February for the 2nd of March.
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}
