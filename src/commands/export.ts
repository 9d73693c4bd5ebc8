import { once } from "node:events";
import { Command } from "commander";
import { exportLines } from "../imports/export.js";
import { findTenant } from "../operator.js";
import { withDatabase } from "./database.js";
import { unlessClosed, write } from "./output.js";
import { accountOption, modeOption, type TenantOptions, tenantChoiceOf } from "./tenant-options.js";

interface ExportOptions extends TenantOptions {
  readonly resumeAfter?: string;
  readonly includeDeleted?: boolean;
}

/** `clientele export`: as slow as its reader, without holding anything meanwhile. */
export function exportCommand(): Command {
  return new Command("export")
    .description("print all customers with their addresses as JSON lines, by id")
    .addOption(accountOption())
    .addOption(modeOption())
    .option("--resume-after <id>", "go on behind the last customer that was printed")
    .option("--include-deleted", "print softly deleted customers too")
    .action(async ({ resumeAfter: after, includeDeleted = false, ...options }: ExportOptions) => {
      await withDatabase(async (deps) => {
        const tenant = await findTenant(deps, tenantChoiceOf(options));
        const failed = once(process.stdout, "error").then(([error]) => Promise.reject(error));
        const written = (async () => {
          for await (const text of exportLines(deps.db, tenant, { after, includeDeleted })) {
            await write(process.stdout, text);
          }
        })();
        await Promise.race([failed, written]).catch(unlessClosed);
      });
    });
}
