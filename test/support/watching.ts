import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { expect } from "vitest";
import type { Event, EventService, WatchEventsRequestSchema } from "../../gen/clientele/v1/events_pb.js";

/** A watch that takes what comes as soon as it comes. */
export interface Watching {
  /** Resolves with the first message: from here on everything is seen. */
  readonly started: Promise<void>;
  readonly events: Event[];
  /** That of the last message. */
  readonly cursor: string;
  /** Messages without events, the first one too. */
  readonly heartbeats: number;
  /** How it ended: resolves with the error, or undefined if there was none. */
  readonly ended: Promise<unknown>;
  /** Waits until it has so many events. */
  until(count: number, timeout?: number): Promise<Event[]>;
  /** Ends it from this side. */
  stop(): Promise<void>;
}

/** Starts to watch, and takes messages until it ends. */
export function watch(
  client: Pick<Client<typeof EventService>, "watchEvents">,
  request: MessageInitShape<typeof WatchEventsRequestSchema> = {},
  timeoutMs?: number,
): Watching {
  const controller = new AbortController();
  const seen = { events: [] as Event[], cursor: "", heartbeats: 0 };
  let onStart = () => {};
  const started = new Promise<void>((resolve) => {
    onStart = resolve;
  });
  const take = async () => {
    const options = { signal: controller.signal, ...(timeoutMs !== undefined && { timeoutMs }) };
    for await (const { events, cursor } of client.watchEvents(request, options)) {
      seen.events.push(...events);
      seen.cursor = cursor;
      if (events.length === 0) seen.heartbeats += 1;
      onStart();
    }
  };
  const ended = take().then(
    () => undefined,
    (error: unknown) => error,
  );
  const begun = Promise.race([started, ended.then((error) => Promise.reject(error))]);
  // A caller that waits only for the end gets the error there.
  begun.catch(() => {});
  return {
    started: begun,
    ended,
    get events() {
      return seen.events;
    },
    get cursor() {
      return seen.cursor;
    },
    get heartbeats() {
      return seen.heartbeats;
    },
    async until(count, timeout = 5_000) {
      await expect.poll(() => seen.events.length, { timeout, interval: 5 }).toBeGreaterThanOrEqual(count);
      return seen.events;
    },
    async stop() {
      controller.abort();
      await ended;
    },
  };
}

/** The numbers of events among those of their tenant. */
export function numbersOf(events: readonly Pick<Event, "id">[]): number[] {
  return events.map(({ id }) => Number(id.slice(-24, -8)));
}
