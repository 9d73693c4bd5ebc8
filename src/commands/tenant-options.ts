import { Option } from "commander";
import type { TenantChoice } from "../operator.js";

/** The options that choose a tenant. */
export interface TenantOptions {
  readonly account?: string;
  readonly mode: "test" | "live";
}

export const accountOption = () => new Option("--account <account>", "the account's id or name, if there are several");

export const modeOption = () =>
  new Option("--mode <mode>", "which half of the account").choices(["test", "live"]).default("test");

export const jsonOption = () => new Option("--json", "print one JSON object, for programs");

/** The options that `findTenant` reads. */
export function tenantChoiceOf({ account, mode }: TenantOptions): TenantChoice {
  return { account, liveMode: mode === "live" };
}
