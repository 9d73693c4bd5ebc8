import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import type { Knex } from "knex";

const run = promisify(execFile);

/** A line for each row: everything in the database that is not Postgres' own, of every schema, as text; bytes in hexadecimal. */
export async function dumpOf(db: Knex): Promise<string> {
  const { rows: tables } = await db.raw(
    `select table_schema as schema, table_name as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const lines: string[] = [];
  for (const { schema, name } of tables) {
    const { rows } = await db.raw("select t::text as text from ??.?? t", [schema, name]);
    lines.push(...rows.map((row: { text: string }) => `${name}: ${row.text.replaceAll("\n", " ")}`));
  }
  return lines.join("\n");
}

/** The output of `pg_dump`; undefined if none here can read this server. */
export async function pgDumpOf(url: string): Promise<string | undefined> {
  try {
    return (await run("pg_dump", ["--inserts", url], { maxBuffer: 1 << 28 })).stdout;
  } catch (error) {
    if (/ENOENT|version mismatch/.test(String(error))) return undefined;
    throw error;
  }
}

/**
 * The forms of a value that a dump holds: as it is, in any case, inside of bytes, and as a hash that anybody can make of
 * it.
 */
export function tracesOf(value: string | Buffer, text: string): string[] {
  const spellings = typeof value === "string" ? [value, value.toLowerCase(), value.trim()] : [value];
  const forms = spellings.flatMap((spelling) => {
    const bytes = Buffer.from(spelling);
    const hashes = ["sha256", "md5", "sha1"].map((name) => createHash(name).update(bytes).digest("hex"));
    const plain = typeof spelling === "string" ? [spelling.toLowerCase()] : [];
    return [...plain, bytes.toString("hex"), ...hashes];
  });
  const lower = text.toLowerCase();
  return [...new Set(forms)].filter((form) => lower.includes(form));
}
