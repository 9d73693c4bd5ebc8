import { setImmediate as turn } from "node:timers/promises";
import { classify } from "../db/errors.js";
import { inTransaction } from "../db/transaction.js";
import type { Deps } from "../deps.js";
import { loadSettings, type TenantSettings } from "../resources/accounts/settings.js";
import { holdTenant, type TenantRow } from "../resources/accounts/store.js";
import { checkLine } from "./check.js";
import { type ImportFile, identityOf } from "./file.js";
import type { ImportRules } from "./import-rules.js";
import { type Line, readLines } from "./lines.js";
import { readers } from "./readers.js";
import * as store from "./store.js";
import { type Rejection, type Row, writeRows } from "./write.js";

/** The file, source and tenant of an import. */
export interface Plan {
  readonly tenant: TenantRow;
  /** A name of `readers`. */
  readonly source: string;
  readonly file: ImportFile;
  /** `resume` goes on behind the last line that is done, `restart` begins again; else a file is imported once. */
  readonly again?: "resume" | "restart" | undefined;
  /** Told where it begins, before the first batch. */
  onStart(place: store.ImportRow): void;
  /** Keeps what a batch rejects, before it is committed; asked again with the same `batch` if that is tried again. */
  keepRejections(batch: number, rejections: readonly Rejection[]): void;
  /** Told after every batch. */
  onBatch(done: store.ImportRow, rejections: readonly Rejection[]): void;
}

type ImportDeps = Pick<Deps, "db" | "clock" | "newId">;

/** Lines that are written together. */
interface Batch {
  readonly lines: Line[];
  readonly last: Pick<Line, "number" | "end">;
}

interface Checked {
  readonly rows: Row[];
  readonly rejections: Rejection[];
}

const batchLines = 500;
const batchChars = 4_194_304;
const linesAtATime = 20;
const attempts = 5;
/** Tables that grow tenfold may need other query plans. */
const renewsAfter = new Set([1, 10, 100, 1_000]);

/**
 * Imports a file of customers, a batch a transaction that also notes how far it is: whatever ends the process, each row
 * is imported once when it is run again with `resume`. While a batch is written the next one is read and checked.
 */
export async function runImport(deps: ImportDeps, plan: Plan): Promise<store.ImportRow> {
  const { tenant, source, file } = plan;
  const tenantId = tenant.tenant_id;
  let place = await begin(deps, plan);
  plan.onStart(place);
  if (place.finish_time !== null) return place;
  let newest = await loadSettings(deps.db, tenantId);
  let writing: Promise<void> = Promise.resolve();
  let batches = 0;
  const from = { line: place.line, offset: place.file_offset };
  for await (const batch of batchesOf(readLines(file.chunks(from.offset), from))) {
    const checkedAgainst = newest;
    const checked = await check(batch, newest);
    await writing;
    writing = write(batch, checked, checkedAgainst);
    // Awaited with the next batch.
    writing.catch(() => {});
  }
  await writing;
  const now = deps.clock();
  await store.finishImport(deps.db, tenantId, place.id, now);
  return { ...place, update_time: now, finish_time: now };

  async function check({ lines }: Batch, { settings, customFields }: TenantSettings): Promise<Checked> {
    const { clock, newId } = deps;
    const reader = readers.get(source)!;
    const rules: ImportRules = {
      source,
      reader,
      settings,
      customFields,
      liveMode: tenant.live_mode,
      newId,
      now: clock(),
    };
    const checked: Checked = { rows: [], rejections: [] };
    for (const [index, line] of lines.entries()) {
      // Another turn of the event loop writes the batch before.
      if (index % linesAtATime === 0) await turn();
      const { rows, refusals } = checkLine(line, rules);
      checked.rows.push(...rows.map((row) => ({ line: line.number, ...row })));
      checked.rejections.push(...refusals.map((refusal) => ({ line: line.number, ...refusal })));
    }
    return checked;
  }

  async function write(batch: Batch, checked: Checked, checkedAgainst: TenantSettings): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await writeOnce(batch, checked, checkedAgainst);
      } catch (error) {
        // Somebody else held a lock for too long.
        if (classify(error) !== "aborted" || attempt === attempts) throw error;
      }
    }
  }

  async function writeOnce(batch: Batch, checked: Checked, checkedAgainst: TenantSettings): Promise<void> {
    const now = deps.clock();
    const { done, rejections } = await inTransaction(deps.db, async (trx) => {
      const held = await holdTenant(trx, tenantId);
      if (held === undefined) throw new Error("The tenant is gone.");
      let [valid, { settings, version }] = [checked, checkedAgainst];
      if (held.rules_version !== version) {
        newest = await loadSettings(trx, tenantId);
        settings = newest.settings;
        valid = await check(batch, newest);
      }
      const refused = await writeRows(trx, tenantId, valid.rows, settings, now);
      const rejections = [...valid.rejections, ...refused].sort((one, other) => one.line - other.line);
      const done = {
        line: batch.last.number,
        file_offset: batch.last.end,
        imported: place.imported + valid.rows.length - refused.length,
        rejected: place.rejected + rejections.length,
        update_time: now,
      };
      const advanced = await store.advanceImport(trx, place, done);
      if (!advanced) throw new Error("Another process imports this file.");
      plan.keepRejections(place.batches, rejections);
      return { done: { ...place, ...done, batches: place.batches + 1 }, rejections };
    });
    place = done;
    plan.onBatch(place, rejections);
    batches += 1;
    if (renewsAfter.has(batches)) await store.renewStatistics(deps.db);
  }
}

// Where the import begins.
async function begin({ db, clock }: ImportDeps, { tenant, source, file, again }: Plan): Promise<store.ImportRow> {
  const id = identityOf(file, source);
  const earlier = await inTransaction(db, (trx) => store.lockImport(trx, tenant.tenant_id, id));
  if (earlier === undefined || again === "restart") {
    return await store.beginImport(db, tenant.tenant_id, { id, source, file_size: file.size }, clock());
  }
  if (again === "resume") return earlier;
  const state = earlier.finish_time === null ? `was imported up to line ${earlier.line}` : "was imported already";
  throw new Error(`The file ${state}: go on with --resume, or begin again with --restart.`);
}

// Blank lines are no rows, but they are passed.
async function* batchesOf(lists: AsyncIterable<Line[]>): AsyncGenerator<Batch> {
  let lines: Line[] = [];
  let chars = 0;
  let last: Line | undefined;
  for await (const list of lists) {
    for (const line of list) {
      last = line;
      if (line.fault === undefined && line.text?.trim() === "") continue;
      lines.push(line);
      chars += line.text?.length ?? 0;
      if (lines.length < batchLines && chars < batchChars) continue;
      yield { lines, last };
      [lines, chars, last] = [[], 0, undefined];
    }
  }
  if (last !== undefined) yield { lines, last };
}
