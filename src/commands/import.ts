import { resolve } from "node:path";
import { Command, Option } from "commander";
import { openFile } from "../imports/file.js";
import { readers } from "../imports/readers.js";
import { openRejects } from "../imports/rejects.js";
import { type Plan, runImport } from "../imports/run.js";
import type { ImportRow } from "../imports/store.js";
import type { Rejection } from "../imports/write.js";
import { findTenant } from "../operator.js";
import { withDatabase } from "./database.js";
import { print, printJson } from "./output.js";
import { createProgress } from "./progress.js";
import { accountOption, jsonOption, modeOption, type TenantOptions, tenantChoiceOf } from "./tenant-options.js";

interface ImportOptions extends TenantOptions {
  readonly from: string;
  readonly resume?: boolean;
  readonly restart?: boolean;
  readonly rejects?: string;
  readonly json?: boolean;
}

/** `clientele import`: ends with code 1 when a row was rejected. */
export function importCommand(): Command {
  const sources = [...readers.keys()];
  return new Command("import")
    .description("import customers from a file of JSON lines, or from standard input")
    .argument("<file>", "the file, one customer object a line; - for standard input")
    .addOption(accountOption())
    .addOption(modeOption())
    .addOption(new Option("--from <source>", "whose customer objects they are").choices(sources).default("clientele"))
    .addOption(new Option("--resume", "go on where an import of this file ended").conflicts("restart"))
    .option("--restart", "begin again with a file that was imported before")
    .option("--rejects <file>", "write what is rejected there, as JSON lines, instead of to standard error")
    .addOption(jsonOption())
    .action(async (path: string, options: ImportOptions) => {
      await withDatabase(async (deps) => {
        if (options.rejects !== undefined && resolve(options.rejects) === resolve(path)) {
          throw new Error("The file of rejects would replace the file to import.");
        }
        const tenant = await findTenant(deps, tenantChoiceOf(options));
        const file = await openFile(path, process.stdin);
        const again = options.resume ? "resume" : options.restart ? "restart" : undefined;
        const { watch, summary, failed } = watching(options, file.size);
        const done = await runImport(deps, { tenant, source: options.from, file, again, ...watch }).catch(failed);
        if (options.json) printJson(summary(done));
        else print(inWords(summary(done)));
        if (done.rejected > 0) process.exitCode = 1;
      });
    });
}

type Watch = Pick<Plan, "onStart" | "keepRejections" | "onBatch">;

function watching({ rejects: path }: ImportOptions, size: number | null) {
  const progress = createProgress(process.stderr);
  const began = performance.now();
  let rejects: ReturnType<typeof openRejects> | undefined;
  let start: ImportRow | undefined;
  let last = 0;
  const rowsSince = ({ imported, rejected }: ImportRow) =>
    imported + rejected - (start === undefined ? 0 : start.imported + start.rejected);
  const watch: Watch = {
    onStart(place) {
      start = place;
      if (path !== undefined) rejects = openRejects(path, place.line);
      if (place.line > 0) progress.print(`Going on behind line ${place.line}.`);
    },
    keepRejections: (batch, rejections) => rejects?.keep(batch, rejections),
    onBatch(place, rejections) {
      if (rejects === undefined) for (const rejection of rejections) progress.print(describe(rejection));
      const { imported, rejected, file_offset } = place;
      last = place.line;
      const share = size === null ? undefined : file_offset / size;
      const rate = (1000 * rowsSince(place)) / (performance.now() - began);
      progress.show({ rows: imported + rejected, rate, rejected, share });
    },
  };
  return { watch, summary, failed };

  function failed(error: unknown): never {
    progress.stop();
    if (last > 0) process.stderr.write(`Lines up to ${last} are done, go on with --resume.\n`);
    throw error;
  }

  function summary(done: ImportRow) {
    progress.stop();
    rejects?.close();
    const seconds = (performance.now() - began) / 1000;
    return {
      import: done.id,
      lines: done.line,
      rows: done.imported + done.rejected,
      imported: done.imported,
      rejected: done.rejected,
      resumedAfterLine: start?.line ?? 0,
      seconds: Number(seconds.toFixed(3)),
      rowsPerSecond: Math.round(rowsSince(done) / seconds),
    };
  }
}

function describe({ line, message, violations }: Rejection): string {
  const fields = violations.map(({ field, description }) => `${field}: ${description}`);
  return `line ${line}: ${fields.length > 0 ? fields.join("; ") : message}`;
}

function inWords(summary: { imported: number; rejected: number; seconds: number; rowsPerSecond: number }): string {
  const { imported, rejected, seconds, rowsPerSecond } = summary;
  return `Imported ${imported} customers, rejected ${rejected}, in ${seconds} s, ${rowsPerSecond} rows a second.`;
}
