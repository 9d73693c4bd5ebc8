import type { ServiceImpl } from "@connectrpc/connect";
import type { FormService } from "../../../gen/clientele/v1/forms_pb.js";
import type { Deps } from "../../deps.js";
import { callOf } from "../../rpc/callers/caller.js";
import { versionedConstraints } from "./convert.js";

export function formService(deps: Deps): ServiceImpl<typeof FormService> {
  return {
    // The settings are those that reads have cached: a write is checked against the newest ones.
    async getFormConstraints(req, ctx) {
      const { db, tenantId, kind } = callOf(ctx);
      const answer = versionedConstraints(await deps.settings.read(db, tenantId), kind === "secret_key");
      return req.etag === answer.etag ? { etag: answer.etag } : answer;
    },
  };
}
