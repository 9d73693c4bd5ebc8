import type { AccountSettings } from "../../gen/clientele/v1/accounts_pb.js";
import type { CustomField } from "../../gen/clientele/v1/custom_fields_pb.js";
import type { NewId } from "../rpc/ids.js";
import type { Reader } from "./source-row.js";

/** The rules and facts that every row of an import is checked against. */
export interface ImportRules {
  readonly source: string;
  readonly reader: Reader;
  readonly settings: AccountSettings;
  readonly customFields: readonly CustomField[];
  readonly liveMode: boolean;
  readonly newId: NewId;
  readonly now: Date;
}
