import type { Knex } from "knex";
import pg from "pg";

/** The callbacks of a listener. An error that they throw never reaches the connection. */
export interface Listener {
  onNotify(payload: string): void;
  /** Called after every connect, the first one too: whatever was sent before may have been missed. */
  onGap(): void;
  /** Told why a connection was lost, and of errors that the two above threw. */
  onError?(error: unknown): void;
}

const shortestPauseMs = 100;
const longestPauseMs = 5_000;
const heartbeatMs = 10_000;
const silenceMs = 5_000;

/**
 * Listens to a channel on a connection of its own, and connects again, for ever, when it is lost. Resolves after the first
 * attempt, even a failed one. It does not work through a transaction pooler.
 */
export async function listen(
  connectionString: string,
  channel: string,
  listener: Listener,
): Promise<{ close(): Promise<void> }> {
  let closed = false;
  let pauseMs = shortestPauseMs;
  let client: pg.Client | undefined;
  let retry: NodeJS.Timeout | undefined;

  await open();
  const heartbeat = setInterval(() => {
    client?.query("select 1").catch(reconnect(client));
  }, heartbeatMs);
  heartbeat.unref();
  return {
    async close() {
      closed = true;
      clearInterval(heartbeat);
      clearTimeout(retry);
      await client?.end().catch(() => {});
    },
  };

  async function open(): Promise<void> {
    const next = createListeningClient(connectionString, channel);
    client = next;
    const lost = reconnect(next);
    next.on("error", lost);
    next.on("end", () => lost(new Error("the listening connection ended")));
    next.on("notification", ({ payload }) => guard(listener, () => listener.onNotify(payload ?? "")));
    try {
      await next.connect();
      await next.query(`LISTEN ${next.escapeIdentifier(channel)}`);
      if (closed) return await next.end();
      pauseMs = shortestPauseMs;
      guard(listener, () => listener.onGap());
    } catch (error) {
      lost(error);
    }
  }

  /** Makes the function that gives a client up; of its calls only the first counts. */
  function reconnect(lost: pg.Client): (error: unknown) => void {
    return (error) => {
      if (closed || client !== lost) return;
      client = undefined;
      guard(listener, () => listener.onError?.(error));
      lost.end().catch(() => {});
      retry = setTimeout(() => void open(), pauseMs);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    };
  }
}

function createListeningClient(connectionString: string, channel: string): pg.Client {
  return new pg.Client({
    connectionString,
    application_name: `clientele listen ${channel}`,
    connectionTimeoutMillis: silenceMs,
    query_timeout: silenceMs,
    keepAlive: true,
  });
}

// Runs a callback of a listener, whose errors must not reach the connection.
function guard(listener: Listener, callback: () => void): void {
  try {
    callback();
  } catch (error) {
    try {
      listener.onError?.(error);
    } catch {
      // The listener cannot be told.
    }
  }
}

/** Sends a payload of at most 8,000 bytes to the listeners of a channel, when the transaction of `db` commits. */
export async function notify(trx: Knex.Transaction, channel: string, payload: string): Promise<void> {
  await trx.raw("select pg_notify(?, ?)", [channel, payload]);
}

/** Sends several payloads at once. */
export async function notifyAll(db: Knex, channel: string, payloads: readonly string[]): Promise<void> {
  await db.raw("select pg_notify(?, payload) from unnest(?::text[]) payload", [channel, [...payloads]]);
}
