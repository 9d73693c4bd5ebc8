import { setImmediate as turn } from "node:timers/promises";
import type { Knex } from "knex";
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

/** The rows that a batch writes, and the refusals of its other lines. */
interface BatchContent {
  readonly rows: Row[];
  readonly rejections: Rejection[];
}

/** An import under way. */
interface Run {
  readonly deps: ImportDeps;
  readonly plan: Plan;
  /** Behind the last batch that is committed. */
  place: store.ImportRow;
  /** The newest that are known; each batch is checked again if its tenant has others by then. */
  settings: TenantSettings;
  batchCount: number;
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
  const place = await begin(deps, plan);
  plan.onStart(place);
  if (place.finish_time !== null) return place;
  const tenantId = plan.tenant.tenant_id;
  const run: Run = { deps, plan, place, settings: await loadSettings(deps.db, tenantId), batchCount: 0 };
  await importBatches(run);
  const now = deps.clock();
  await store.finishImport(deps.db, tenantId, place.id, now);
  return { ...run.place, update_time: now, finish_time: now };
}

async function importBatches(run: Run): Promise<void> {
  const from = { line: run.place.line, offset: run.place.file_offset };
  let writing: Promise<void> = Promise.resolve();
  for await (const batch of batchesOf(readLines(run.plan.file.chunks(from.offset), from))) {
    const { settings } = run;
    const content = await checkBatch(run, batch, settings);
    await writing;
    writing = writeBatch(run, batch, content, settings);
    // Awaited with the next batch.
    writing.catch(() => {});
  }
  await writing;
}

async function checkBatch({ deps, plan }: Run, { lines }: Batch, settings: TenantSettings): Promise<BatchContent> {
  const rules: ImportRules = {
    source: plan.source,
    reader: readers.get(plan.source)!,
    settings: settings.settings,
    customFields: settings.customFields,
    liveMode: plan.tenant.live_mode,
    newId: deps.newId,
    now: deps.clock(),
  };
  const content: BatchContent = { rows: [], rejections: [] };
  for (const [index, line] of lines.entries()) {
    // Another turn of the event loop writes the batch before.
    if (index % linesAtATime === 0) await turn();
    const { rows, refusals } = checkLine(line, rules);
    content.rows.push(...rows.map((row) => ({ line: line.number, ...row })));
    content.rejections.push(...refusals.map((refusal) => ({ line: line.number, ...refusal })));
  }
  return content;
}

// Again while somebody else holds a lock for too long.
async function writeBatch(run: Run, batch: Batch, content: BatchContent, settings: TenantSettings): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await writeOnce(run, batch, content, settings);
    } catch (error) {
      if (classify(error) !== "aborted" || attempt === attempts) throw error;
    }
  }
}

async function writeOnce(run: Run, batch: Batch, content: BatchContent, settings: TenantSettings): Promise<void> {
  const { db } = run.deps;
  const { place, rejections } = await inTransaction(db, (trx) => writeIn(trx, run, batch, content, settings));
  run.place = place;
  run.plan.onBatch(place, rejections);
  run.batchCount += 1;
  if (renewsAfter.has(run.batchCount)) await store.renewStatistics(db);
}

async function writeIn(
  trx: Knex.Transaction,
  run: Run,
  batch: Batch,
  content: BatchContent,
  settings: TenantSettings,
): Promise<{ place: store.ImportRow; rejections: Rejection[] }> {
  const { plan, place } = run;
  const tenantId = plan.tenant.tenant_id;
  const now = run.deps.clock();
  const tenant = await holdTenant(trx, tenantId);
  if (tenant === undefined) throw new Error("The tenant is gone.");
  let [valid, present] = [content, settings];
  if (tenant.rules_version !== settings.version) {
    present = await loadSettings(trx, tenantId);
    run.settings = present;
    valid = await checkBatch(run, batch, present);
  }
  const refusals = await writeRows(trx, tenantId, valid.rows, present.settings, now);
  const rejections = [...valid.rejections, ...refusals].sort((one, other) => one.line - other.line);
  const progress = {
    line: batch.last.number,
    file_offset: batch.last.end,
    imported: place.imported + valid.rows.length - refusals.length,
    rejected: place.rejected + rejections.length,
    update_time: now,
  };
  const isAdvanced = await store.advanceImport(trx, place, progress);
  if (!isAdvanced) throw new Error("Another process imports this file.");
  plan.keepRejections(place.batches, rejections);
  return { place: { ...place, ...progress, batches: place.batches + 1 }, rejections };
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
