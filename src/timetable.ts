import { parseCrontab, type Runner } from "graphile-worker";

const minuteMs = 60_000;

/**
 * Hands out jobs by a crontab, in UTC, until the returned function is called. What cannot be handed out, because Postgres
 * is away, is when it is back: graphile-worker's own timetable would end the process. Several replicas do so for one job
 * that waits; where one is faster than the other it may run twice.
 */
export function followTimetable(crontab: string, addJob: Runner["addJob"], clock: () => Date): () => void {
  const items = parseCrontab(crontab);
  const due = new Set<(typeof items)[number]>();
  let timer = nextMinute();
  return () => clearTimeout(timer);

  function nextMinute(): NodeJS.Timeout {
    return setTimeout(onMinute, minuteMs - (clock().getTime() % minuteMs) + 1);
  }

  function onMinute(): void {
    timer = nextMinute();
    const now = clock();
    const digest = {
      min: now.getUTCMinutes(),
      hour: now.getUTCHours(),
      date: now.getUTCDate(),
      month: now.getUTCMonth() + 1,
      dow: now.getUTCDay(),
    };
    for (const item of items) if (item.match(digest)) due.add(item);
    for (const item of due) void handOut(item).catch(() => {});
  }

  async function handOut(item: (typeof items)[number]): Promise<void> {
    const { maxAttempts } = item.options;
    await addJob(item.task, {}, { jobKey: item.task, ...(maxAttempts !== undefined && { maxAttempts }) });
    due.delete(item);
  }
}
