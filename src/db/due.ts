/** Rows that are due, and the work on one of them. */
interface DueWork<Row> {
  /** The rows that are due at a time, the longest due first, without the first `skipped`. */
  readonly list: (now: Date, limit: number, skipped: number) => Promise<readonly Row[]>;
  /** Works on one row in a transaction of its own. False if another replica was faster, or the row is no longer due. */
  readonly work: (row: Row, now: Date) => Promise<boolean>;
  /** Told of a row that fails. Such a row does not stop the others; the next run tries it again. */
  readonly failed: (error: unknown, row: Row) => void;
}

const batchSize = 100;

/** Works on due rows, batch by batch, until none is left. Answers how many. Several replicas may run it at a time. */
export async function workOnDue<Row>(clock: () => Date, { list, work, failed }: DueWork<Row>): Promise<number> {
  let [done, failures] = [0, 0];
  for (;;) {
    const now = clock();
    const due = await list(now, batchSize, failures);
    for (const row of due) {
      try {
        if (await work(row, now)) done += 1;
      } catch (error) {
        failures += 1;
        failed(error, row);
      }
    }
    if (due.length < batchSize) return done;
  }
}
