import { Command, Option } from "commander";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { requireNoCardNumber } from "../operator.js";
import { createAccount } from "../resources/accounts/create.js";
import { withDatabase } from "./database.js";
import { print, printJson } from "./output.js";
import { jsonOption } from "./tenant-options.js";

const presets = Object.keys(SettingsPreset).filter((name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED");

/** `clientele account`: makes accounts. */
export function accountCommand(): Command {
  const create = new Command("create")
    .description("create an account with a test and a live tenant, and print a secret key for each")
    .requiredOption("--name <name>", "the merchant's name")
    .addOption(new Option("--preset <preset>", "the settings to start with").choices(presets).default("OPEN"))
    .addOption(jsonOption())
    .action(async (options: { name: string; preset: keyof typeof SettingsPreset; json?: boolean }) => {
      await withDatabase(async (deps) => {
        requireNoCardNumber(options.name, "name");
        const created = await createAccount(deps, options.name, SettingsPreset[options.preset]);
        if (options.json) printJson(created);
        else print(`Account ${created.accountId}\nTest key ${created.testKey}\nLive key ${created.liveKey}`);
      });
    });
  return new Command("account").description("manage accounts").addCommand(create);
}
