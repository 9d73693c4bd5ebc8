import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.js";

/**
 * The configuration with a secret key where it names none and the embedded Postgres is used: one that is made once and
 * kept beside the data. To be called once the folder of the data exists.
 */
export function withSecretKey(config: Config): Config {
  if (config.secretKey !== undefined || config.databaseUrl !== undefined) return config;
  const path = join(config.dataDir, "secret-key");
  try {
    writeFileSync(path, randomBytes(32).toString("base64url"), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return { ...config, secretKey: Buffer.from(readFileSync(path, "utf8")) };
}
