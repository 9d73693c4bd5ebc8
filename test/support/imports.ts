import { randomBytes } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { connect } from "../../src/db/connection.js";
import { exportLines } from "../../src/imports/export.js";
import { type Plan, runImport } from "../../src/imports/run.js";
import type { ImportRow } from "../../src/imports/store.js";
import type { Rejection } from "../../src/imports/write.js";
import { findTenant } from "../../src/operator.js";
import { createNewId } from "../../src/rpc/ids.js";
import type { Clientele, TestAccount } from "./clientele.js";

/** The result of an import. */
export interface Imported {
  readonly done: ImportRow;
  readonly rejections: readonly Rejection[];
}

/** How a test imports otherwise than `clientele import FILE`. */
export type ImportOverrides = Partial<Omit<Plan, "tenant" | "file">> & { readonly liveMode?: boolean };

/** Imports rows, or a text of lines, into the account's tenant. */
export async function importRows(
  clientele: Clientele,
  account: TestAccount,
  rows: readonly object[] | string,
  { liveMode = false, ...overrides }: ImportOverrides = {},
): Promise<Imported> {
  await using deps = operatorDeps(clientele);
  const tenant = await findTenant(deps, { account: account.accountId, liveMode });
  const bytes = Buffer.from(typeof rows === "string" ? rows : rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const rejections: Rejection[] = [];
  const done = await runImport(deps, {
    tenant,
    source: "clientele",
    file: {
      size: bytes.length,
      head: bytes.subarray(0, 65_536),
      async *chunks(offset) {
        yield bytes.subarray(offset);
      },
    },
    onStart: () => {},
    keepRejections: () => {},
    onBatch: (_, some) => void rejections.push(...some),
    ...overrides,
  });
  return { done, rejections };
}

/** The output of `clientele export` for the account's tenant. */
export async function exportRows(
  clientele: Clientele,
  account: TestAccount,
  { includeDeleted = false, after }: { readonly includeDeleted?: boolean; readonly after?: string } = {},
): Promise<JsonObject[]> {
  await using deps = operatorDeps(clientele);
  const tenant = await findTenant(deps, { account: account.accountId, liveMode: false });
  const rows: JsonObject[] = [];
  for await (const text of exportLines(deps.db, tenant, { after, includeDeleted })) {
    rows.push(
      ...text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    );
  }
  return rows;
}

// As the command line has them.
function operatorDeps({ databaseUrl }: Clientele) {
  const clock = () => new Date();
  const db = connect({ connectionString: databaseUrl, poolSize: 1, namedStatements: false });
  const newId = createNewId(clock, randomBytes);
  return { db, clock, randomBytes, newId, [Symbol.asyncDispose]: async () => await db.destroy() };
}
