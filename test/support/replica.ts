import { readConfig } from "../../src/config.js";
import type { Overrides } from "../../src/deps.js";
import { serve } from "../../src/serve.js";
import type { Clientele } from "./clientele.js";

/** Starts one more service on the database of another. Stop it before that one. */
export async function startReplica(first: Clientele, overrides: Overrides = {}): Promise<Clientele> {
  const config = readConfig({ CLIENTELE_HTTP_PORT: "0", CLIENTELE_GRPC_PORT: "0", CLIENTELE_LOG_LEVEL: "silent" });
  const { httpPort, grpcPort, stop } = await serve(config, first.databaseUrl, overrides);
  return {
    ...first,
    httpUrl: `http://127.0.0.1:${httpPort}`,
    grpcAddress: `127.0.0.1:${grpcPort}`,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
