import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.js";

const bytes = 32;

/**
 * The configuration with a secret key where it names none and the embedded Postgres is used: one that is made once and
 * kept beside the data. To be called once the folder of the data exists.
 */
export function withSecretKey(config: Config): Config {
  if (config.secretKey !== undefined || config.databaseUrl !== undefined) return config;
  const path = join(config.dataDir, "secret-key");
  try {
    writeFileSync(path, randomBytes(bytes).toString("base64url"), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  const secretKey = readFileSync(path);
  // An empty one would make secrets that everybody can work out: the process that made the file may have been killed.
  if (secretKey.length < bytes) throw new Error(`${path} holds no key: delete it, and a new one is made.`);
  return { ...config, secretKey };
}
