import { readConfig } from "../../src/config.js";
import { buildDeps, type Deps } from "../../src/deps.js";
import { tasksOf } from "../../src/jobs.js";
import { type Clientele, startClientele } from "./clientele.js";

/** A service whose webhooks go out when the test says so, by a clock that the test moves. */
export interface Dispatching {
  readonly clientele: Clientele;
  readonly deps: Deps;
  now(): Date;
  /** Lets time pass. */
  later(ms: number): void;
  /** Makes and sends what is due, as the worker does every second. */
  dispatch(deps?: Deps): Promise<void>;
  stop(): Promise<void>;
}

export async function startDispatching(): Promise<Dispatching> {
  let now = new Date("2026-03-01T12:00:00Z");
  const environment = {
    CLIENTELE_SECRET_KEY: "a key of the deployment, for tests",
    CLIENTELE_WEBHOOKS_TO_PRIVATE_NETWORKS: "true",
  };
  const clientele = await startClientele({ clock: () => now }, environment);
  const config = readConfig({ CLIENTELE_LOG_LEVEL: "silent", ...environment });
  const { deps, close } = await buildDeps(config, clientele.databaseUrl, { clock: () => now });
  return {
    clientele,
    deps,
    now: () => now,
    later(ms) {
      now = new Date(now.getTime() + ms);
    },
    async dispatch(by = deps) {
      await tasksOf(by).make_webhook_deliveries!();
      await tasksOf(by).send_webhook_deliveries!();
    },
    async stop() {
      await close();
      await clientele.stop();
    },
  };
}
