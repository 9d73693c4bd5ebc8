import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";

/** A migrated, empty database of its own. */
export interface TestDatabase {
  readonly url: string;
  /** Removes it, and ends whatever is still connected. */
  drop(): Promise<void>;
}

/** Makes a database of the test server: a copy of the template, which takes some 100 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `clientele_test_${randomBytes(6).toString("hex")}`;
  await administer(`create database ${name} template ${inject("postgresTemplate")}`);
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => administer(`drop database if exists ${name} with (force)`) };
}

/** Runs one statement on the test server, outside of any test database. */
export async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
