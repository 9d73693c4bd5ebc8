import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { followTimetable } from "../src/timetable.js";

const crontab = `
* * * * * often ?max=3
17 * * * * hourly ?max=3
`;

beforeEach(() => void vi.useFakeTimers({ now: new Date("2026-03-01T12:14:30Z") }));
afterEach(() => void vi.useRealTimers());

test("each job is handed out at its minutes, and none after the end", async () => {
  const addJob = vi.fn().mockResolvedValue({});
  const stop = followTimetable(crontab, addJob, () => new Date());
  await vi.advanceTimersByTimeAsync(3 * 60_000);
  expect(addJob.mock.calls.map(([job]) => job)).toEqual(["often", "often", "often", "hourly"]);
  expect(addJob).toHaveBeenCalledWith("hourly", {}, { jobKey: "hourly", maxAttempts: 3 });
  stop();
  await vi.advanceTimersByTimeAsync(3 * 60_000);
  expect(addJob).toHaveBeenCalledTimes(4);
});

test("a job that cannot be queued is queued a minute later", async () => {
  const addJob = vi.fn().mockResolvedValue({});
  const stop = followTimetable(crontab, addJob, () => new Date());
  await vi.advanceTimersByTimeAsync(2 * 60_000);
  addJob.mockClear().mockRejectedValueOnce(new Error("gone")).mockRejectedValueOnce(new Error("gone"));
  await vi.advanceTimersByTimeAsync(2 * 60_000);
  expect(addJob.mock.calls.map(([job]) => job)).toEqual(["often", "hourly", "often", "hourly"]);
  stop();
});
