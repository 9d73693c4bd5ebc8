import { once } from "node:events";
import { toJson } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { Command } from "commander";
import { ExportCustomerDataResponseSchema } from "../../gen/clientele/v1/privacy_pb.js";
import { findTenant } from "../operator.js";
import { exportPerson } from "../resources/privacy/export/person.js";
import { withDatabase } from "./database.js";
import { unlessClosed, write } from "./output.js";
import { accountOption, modeOption, type TenantOptions, tenantChoiceOf } from "./tenant-options.js";

interface ExportPersonOptions extends TenantOptions {
  readonly customer: string;
}

/** `clientele export-person`: what ExportCustomerData streams, a line for each message. */
export function exportPersonCommand(): Command {
  return new Command("export-person")
    .description("print everything that is held about one customer as JSON lines")
    .addOption(accountOption())
    .addOption(modeOption())
    .requiredOption("--customer <id>", "the customer's id; of a purged one what is left is printed")
    .action(async ({ customer, ...options }: ExportPersonOptions) => {
      await withDatabase(async ({ db, clock }) => {
        const { tenant_id: tenantId, live_mode: liveMode } = await findTenant({ db }, tenantChoiceOf(options));
        const call = { db, tenantId, liveMode, publicUrl: "", now: clock() };
        const failed = once(process.stdout, "error").then(([error]) => Promise.reject(error));
        const written = (async () => {
          for await (const message of exportPerson(call, customer)) {
            await write(process.stdout, `${JSON.stringify(toJson(ExportCustomerDataResponseSchema, message))}\n`);
          }
        })();
        await Promise.race([failed, written]).catch(unlessClosed).catch(inWords);
      });
    });
}

// The command line prints the message of an RPC error without its status.
function inWords(error: unknown): never {
  throw error instanceof ConnectError ? new Error(error.rawMessage) : error;
}
