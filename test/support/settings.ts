import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AccountSettings, AccountSettingsSchema } from "../../gen/clientele/v1/accounts_pb.js";
import type { Clients } from "./clientele.js";

/** Changes the settings that are given, or those that the paths name. */
export async function changeSettings(
  { accounts }: Clients,
  settings: MessageInitShape<typeof AccountSettingsSchema>,
  paths: string[] = [],
): Promise<AccountSettings> {
  const answer = await accounts.updateAccountSettings({ settings, updateMask: { paths } });
  return answer.settings!;
}
