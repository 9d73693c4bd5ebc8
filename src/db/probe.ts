import { connect } from "./connection.js";
import { withDeadline } from "./deadline.js";

/** Tells of each change: whether the database takes writes. */
export type OnWritable = (writable: boolean) => void;

const askEveryMs = 1_000;
/** A shorter outage, such as a failover that clients retry through, is none. */
const toleratedMs = 3_000;

// With the error of a write, so that the connection to a standby is left like any other.
const failUnlessWritable = `do $$ begin
  if current_setting('transaction_read_only') = 'on' then raise exception 'read-only' using errcode = '25006'; end if;
end $$`;

/**
 * Asks the database every second, on a connection of its own, whether it takes writes. Reports a loss after three seconds
 * without a success, such as an outage or a standby, and the recovery at once.
 */
export function watchDatabase(connectionString: string, onWritable: OnWritable): { close(): Promise<void> } {
  const db = connect({ connectionString, poolSize: 1, namedStatements: false, applicationName: "clientele probe" });
  let told = true;
  let lastWritable = Date.now();
  let asking: Promise<void> | undefined;
  const timer = setInterval(() => {
    asking ??= look().finally(() => (asking = undefined));
  }, askEveryMs);
  return {
    async close() {
      clearInterval(timer);
      await asking;
      await db.destroy();
    },
  };

  async function look(): Promise<void> {
    const isWritable = await withDeadline(Date.now() + askEveryMs, () => db.raw(failUnlessWritable)).then(
      () => true,
      () => false,
    );
    if (isWritable) lastWritable = Date.now();
    const tell = isWritable || Date.now() - lastWritable < toleratedMs;
    if (tell !== told) onWritable(tell);
    told = tell;
  }
}
