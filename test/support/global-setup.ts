import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { startEmbedded } from "../../src/db/embedded.js";
import { migrate } from "../../src/db/migrate.js";
import { migrations } from "../../src/db/migrations/index.js";

declare module "vitest" {
  export interface ProvidedContext {
    /** Connection string of the server's database that is for administration. */
    postgresUrl: string;
    /** Name of a migrated database that every test database is copied from. */
    postgresTemplate: string;
  }
}

/** Starts one Postgres for all tests, or takes that of TEST_DATABASE_URL or DATABASE_URL, and migrates a template. */
// biome-ignore lint/style/noDefaultExport: vitest asks for it
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.TEST_DATABASE_URL || process.env.DATABASE_URL;
  const server = given ? { url: given, stop: async () => {} } : await startTemporary();
  const template = `clientele_template_${process.pid}`;
  try {
    await administer(server.url, `create database ${template}`);
    const url = new URL(server.url);
    url.pathname = `/${template}`;
    await migrate(url.href, migrations);
  } catch (error) {
    await server.stop();
    throw error;
  }
  project.provide("postgresUrl", server.url);
  project.provide("postgresTemplate", template);
  return async () => {
    await administer(server.url, `drop database if exists ${template} with (force)`);
    await server.stop();
  };
}

async function startTemporary(): Promise<{ url: string; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), "clientele-test-"));
  const settings = { fsync: "off", full_page_writes: "off", synchronous_commit: "off" };
  const embedded = await startEmbedded({ dataDir, settings, log: () => {} });
  return {
    url: embedded.url,
    async stop() {
      await embedded.stop();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
