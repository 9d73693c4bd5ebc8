import { toJson } from "@bufbuild/protobuf";
import { Command, Option } from "commander";
import { type ApiKey, ApiKeyKind, ApiKeySchema } from "../../gen/clientele/v1/api_keys_pb.js";
import { createKey, listKeys, revokeKey } from "../operator.js";
import { withDatabase } from "./database.js";
import { print, printJson } from "./output.js";
import { accountOption, jsonOption, modeOption, type TenantOptions, tenantChoiceOf } from "./tenant-options.js";

interface KeyOptions extends TenantOptions {
  readonly json?: boolean;
}

/** `clientele key`: makes, lists and revokes API keys. */
export function keyCommand(): Command {
  const create = keySubcommand("create", "make a key and print its secret, this once")
    .addOption(new Option("--kind <kind>", "the kind of key").choices(["secret", "publishable"]).default("secret"))
    .option("--label <label>", "the purpose of the key", "")
    .action(async (options: KeyOptions & { kind: "secret" | "publishable"; label: string }) => {
      await withDatabase(async (deps) => {
        const kind = options.kind === "secret" ? ApiKeyKind.SECRET : ApiKeyKind.PUBLISHABLE;
        const { apiKey, secret } = await createKey(deps, tenantChoiceOf(options), kind, options.label);
        if (options.json) printJson({ apiKey: toJson(ApiKeySchema, apiKey), secret });
        else print(`${describe(apiKey)}\n${secret}`);
      });
    });
  const list = keySubcommand("list", "list the keys of a tenant, without their secrets").action(
    async (options: KeyOptions) => {
      await withDatabase(async (deps) => {
        const apiKeys = await listKeys(deps, tenantChoiceOf(options));
        if (options.json) printJson({ apiKeys: apiKeys.map((apiKey) => toJson(ApiKeySchema, apiKey)) });
        else for (const apiKey of apiKeys) print(describe(apiKey));
      });
    },
  );
  const revoke = keySubcommand("revoke", "end a key for ever")
    .argument("<id>", "the key's id")
    .action(async (id: string, options: KeyOptions) => {
      await withDatabase(async (deps) => {
        const apiKey = await revokeKey(deps, tenantChoiceOf(options), id);
        if (options.json) printJson({ apiKey: toJson(ApiKeySchema, apiKey) });
        else print(describe(apiKey));
      });
    });
  return new Command("key").description("manage API keys").addCommand(create).addCommand(list).addCommand(revoke);
}

function keySubcommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(accountOption())
    .addOption(modeOption())
    .addOption(jsonOption());
}

function describe({ id, kind, label, last4, revokeTime }: ApiKey): string {
  const revoked = revokeTime === undefined ? "" : " revoked";
  return `${id} ${ApiKeyKind[kind].toLowerCase()} …${last4}${revoked} ${label}`.trimEnd();
}
