import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { startEmbedded } from "../src/db/embedded.js";

/** A Postgres of its own with one account. */
export interface Database {
  readonly url: string;
  /** Its children do the work. */
  readonly postmasterPid: number;
  /** A folder that goes away with it. */
  readonly folder: string;
  /** The tenant whose customers are seeded, read and updated; nobody else is added to it. */
  readonly seeded: Tenant;
  /** The tenant whose customers are created, so that the other one's lists stay as they are. */
  readonly growing: Tenant;
  /** The settings that decide its speed. */
  readonly settings: string;
  stop(): Promise<void>;
}

interface Tenant {
  readonly tenantId: string;
  readonly key: string;
}

/** Starts it as `clientele serve` would, durable, and seeds one tenant. */
export async function startDatabase(rows: number): Promise<Database> {
  const folder = await mkdtemp(join(tmpdir(), "clientele-bench-"));
  const embedded = await startEmbedded({ dataDir: folder, log: () => {} });
  const stop = async () => {
    await embedded.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const { accountId, testKey, liveKey } = await createAccount(embedded.url);
    const client = new pg.Client({ connectionString: embedded.url });
    await client.connect();
    const tenants = await client.query<{ tenant_id: string; live_mode: boolean }>(
      "select tenant_id, live_mode from tenants where account_id = $1 order by live_mode",
      [accountId],
    );
    const [seeded = "", growing = ""] = tenants.rows.map((row) => row.tenant_id);
    await seed(client, seeded, rows);
    const settings = await describe(client);
    await client.end();
    const pidFile = await readFile(join(folder, "postgres", "postmaster.pid"), "utf8");
    return {
      url: embedded.url,
      postmasterPid: Number.parseInt(pidFile, 10),
      folder,
      seeded: { tenantId: seeded, key: testKey },
      growing: { tenantId: growing, key: liveKey },
      settings,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The id of the nth seeded customer, from 0; the higher, the newer. */
export function seededId(n: number): string {
  return `cus_${String(n).padStart(26, "0")}`;
}

// Through the command line, which migrates too.
async function createAccount(url: string): Promise<{ accountId: string; testKey: string; liveKey: string }> {
  const args = ["dist/src/main.js", "account", "create", "--name", "Bench", "--preset", "OPEN", "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, DATABASE_URL: url },
  });
  return JSON.parse(stdout);
}

async function seed(client: pg.Client, tenantId: string, rows: number): Promise<void> {
  await client.query(
    `insert into customers (tenant_id, id, email, email_key, name, first_name, last_name, phone, country, locale, type,
       metadata, create_time, update_time)
     select $1, 'cus_' || lpad(n::text, 26, '0'), email, sha256(convert_to(email, 'UTF8')), 'Grace Hopper ' || n, 'Grace',
       'Hopper', '+1 212 555 0100', 'US', 'en_US', 'individual', '{"loyalty": "gold", "source": "bench"}', at, at
     from generate_series(0, $2::int - 1) n, concat('grace-', n, '@example.com') email,
       date_trunc('milliseconds', now() - ($2::int - n) * interval '1 second') at`,
    [tenantId, rows],
  );
  await client.query("vacuum analyze customers");
  // The first runs must not pay for the checkpoint.
  await client.query("checkpoint");
}

async function describe(client: pg.Client): Promise<string> {
  const names = ["server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"];
  const { rows } = await client.query<{ setting: string }>(
    "select name || '=' || current_setting(name) as setting from unnest($1::text[]) name",
    [names],
  );
  return rows.map((row) => row.setting).join(", ");
}
