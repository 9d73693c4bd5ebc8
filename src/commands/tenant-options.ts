import { Option } from "commander";
import type { Deps } from "../deps.js";
import type { TenantChoice } from "../operator.js";

/** Runs something on the configured database. */
export type WithDatabase = (
  command: (deps: Pick<Deps, "db" | "clock" | "newId" | "randomBytes">) => Promise<void>,
) => Promise<void>;

/** How a command is told which tenant is meant. */
export interface TenantOptions {
  readonly account?: string;
  readonly mode: "test" | "live";
}

export const accountOption = () => new Option("--account <account>", "the account's id or name, if there are several");

export const modeOption = () =>
  new Option("--mode <mode>", "which half of the account").choices(["test", "live"]).default("test");

/** What `findTenant` asks for. */
export function tenantChoiceOf({ account, mode }: TenantOptions): TenantChoice {
  return { account, liveMode: mode === "live" };
}
