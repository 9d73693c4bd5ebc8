import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

const files = ["src", "test", "bench", "examples", "scripts"].flatMap(sourcesBelow);
// The names of resources that ARCHITECTURE.md permits in the inner rooms; that of the credential `customer_token` apart.
const exceptions: Readonly<Record<string, RegExp>> = {
  "src/rpc/errors.ts": /^ {2}[A-Z_]+: Code\./,
  "src/rpc/calls/idempotency.ts": /\bcustomer_id\b/,
};
const sources = files.filter(({ path }) => path.startsWith("src/"));

describe("the house", () => {
  test("rpc, db and server know no resource", () => {
    const inner = sources.filter(({ path }) => /^src\/(rpc|db|server)\//.test(path));
    const known = inner.flatMap(({ path, imports }) =>
      imports.filter((to) => /^src\/(resources|external)\//.test(to)).map((to) => `${path} > ${to}`),
    );
    expect(known).toEqual([]);
  });

  test("rpc, db and server name no resource", () => {
    const inner = sources.filter(({ path }) => /^src\/(rpc|db|server)\/(?!migrations\/)/.test(path));
    const names = /customer|checkout|payment(?! card)|webhook|photo|erasure|tax_|taxes/i;
    const named = inner.flatMap(({ path, text }) => {
      const lines = text.replaceAll(/customer[_ -]tokens?/gi, "").split("\n");
      return lines
        .filter((line) => names.test(line) && !exceptions[path]?.test(line))
        .map((line) => `${path}: ${line}`);
    });
    expect(named).toEqual([]);
  });

  test("rpc and server read no message of the contract, and decide nothing by a method's name", () => {
    const inner = sources.filter(({ path }) => /^src\/(rpc|server)\//.test(path));
    const contract = inner.flatMap(({ path, imports }) =>
      imports.filter((to) => /^gen\/clientele\/v1\/(?!errors_pb)/.test(to)).map((to) => `${path} > ${to}`),
    );
    expect(contract).toEqual([]);
    const byName = inner.filter(({ text }) =>
      /\.test\((\w+\.)?(method|schema|input|output)\.(name|typeName)\)/.test(text),
    );
    expect(byName.map(({ path }) => path)).toEqual([]);
  });

  test("the layers below a service do not know the composition root", () => {
    const below = sources.filter(
      ({ path }) =>
        /^src\/(rpc|db|server|formats|external)\//.test(path) || /\/([a-z-]*store|convert|rules)\.ts$/.test(path),
    );
    const known = below.filter(({ imports }) => imports.some((to) => /^src\/(deps|serve|main|routes)\.ts$/.test(to)));
    expect(known.map(({ path }) => path)).toEqual([]);
  });

  test("a resource never imports another one's service", () => {
    const inResources = sources.filter(({ path }) => path.startsWith("src/resources/"));
    const wrong = inResources.flatMap(({ path, imports }) =>
      imports
        .filter((to) => to.endsWith("/service.ts") && dirname(to) !== dirname(path))
        .map((to) => `${path} > ${to}`),
    );
    expect(wrong).toEqual([]);
  });

  test("a store knows no message and no service, a convert no query", () => {
    const stores = sources.filter(({ path }) => /^src\/resources\/.*\/[a-z-]*store\.ts$/.test(path));
    expect(stores.filter(({ imports }) => imports.some((to) => /\/(service|convert|rules)\.ts$/.test(to)))).toEqual([]);
    const converts = sources.filter(({ path }) => path.endsWith("/convert.ts"));
    expect(converts.filter(({ text }) => /\bKnex\b|await /.test(text)).map(({ path }) => path)).toEqual([]);
  });

  test("the readers of other systems are pure", () => {
    const readers = sources.filter(
      ({ path, text }) => path.startsWith("src/imports/") && /^export function read[A-Z]\w*\(object/m.test(text),
    );
    expect(readers.map(({ path }) => path)).toEqual(
      expect.arrayContaining(sources.filter(({ text }) => /: Reader = \{/.test(text)).map(({ path }) => path)),
    );
    const allowed =
      /^(src\/imports\/(refusal|source-row)|src\/formats\/\w+|src\/rpc\/requests\/exact-json|gen\/.*)\.ts$/;
    const known = readers.flatMap(({ path, imports }) =>
      imports.filter((to) => !allowed.test(to)).map((to) => `${path} > ${to}`),
    );
    expect(known).toEqual([]);
    expect(
      readers.filter(({ text }) => /\b(await|async|Knex|Date\.now|new Date\(\))\b/.test(text)).map(({ path }) => path),
    ).toEqual([]);
  });

  test("only rpc builds a ConnectError", () => {
    const builders = sources.filter(({ text }) => /new ConnectError\(|ConnectError\.from\(/.test(text));
    expect(builders.map(({ path }) => path)).toEqual(["src/rpc/errors.ts"]);
  });

  test("only stores, db, paging, filter and idempotency touch tables", () => {
    const allowed =
      /^src\/(db\/|resources\/.+\/[a-z-]*store\.ts|imports\/[a-z-]*store\.ts|rpc\/(lists\/(paging|filter-sql)|calls\/idempotency)\.ts)/;
    const touching = sources.filter(({ text }) => /\b(db|trx|knex)(<[^(]*>)?\(["'`]|\.raw\(/.test(text));
    expect(touching.filter(({ path }) => !allowed.test(path)).map(({ path }) => path)).toEqual([]);
  });

  test("a call is bound to its transaction in one place", () => {
    const binding = sources.filter(({ text }) => /\bdb: (trx|savepoint)\b/.test(text));
    expect(binding.map(({ path }) => path)).toEqual(["src/rpc/calls/transaction.ts"]);
  });

  test("a transaction is a trx, and a trx is never the pool", () => {
    const pools = sources.filter(({ text }) => /\btrx: Knex\b(?!\.Transaction)/.test(text));
    expect(pools.map(({ path }) => path)).toEqual([]);
    const named = sources.flatMap(({ path, text }) =>
      [...text.matchAll(/(?<!readonly )\b(\w+): Knex\.Transaction\b/g)].map(([, name]) => `${path}: ${name}`),
    );
    expect(named.filter((parameter) => !parameter.endsWith(": trx"))).toEqual([]);
  });

  test("a function that locks takes a transaction", () => {
    const pools = sources.flatMap(({ path, text }) => {
      const locks = text.matchAll(/\.for(?:Update|Share)\(|\braw\("select pg_advisory_xact_lock/g);
      const headers = [...locks].map(({ index }) => text.slice(text.lastIndexOf("function ", index), index));
      const open = headers.filter(
        (header) => !/^function \w+\([^)]*\b(trx: Knex\.Transaction|TransactionCall)\b/.test(header),
      );
      return open.map((header) => `${path}: ${header.split("(", 1)}`);
    });
    expect(pools).toEqual([]);
  });

  test("a function that is called in transactions alone does not take the pool", () => {
    const pools = sources.flatMap(({ path, text }) => {
      const callers = sources.filter((caller) => caller.path === path || caller.imports.includes(path));
      const names = [...text.matchAll(/function (\w+)(?:<[^(]*>)?\(\s*db: Knex\b(?!\.)/g)].map(([, name = ""]) => name);
      const inTransactions = names.filter((name) => {
        const calls = new RegExp(`(?<!function )\\b${name}(?:<[^(]*>)?\\(\\s*([\\w.]+)`, "g");
        const given = callers.flatMap((caller) =>
          [...caller.text.matchAll(calls)].map(([, argument = ""]) => argument),
        );
        return given.length > 0 && given.every((argument) => /^(trx|savepoint|inside\.db)$/.test(argument));
      });
      return inTransactions.map((name) => `${path}: ${name}`);
    });
    expect(pools).toEqual([]);
  });

  test("no value and no type of the inner rooms is named by a participle", () => {
    const inner = sources.filter(({ path }) => /^src\/(rpc|db|server|formats|external|commands)\//.test(path));
    const declared =
      /\b(?:const|let|function|interface|type)\s+(kept|isKept|known|present|found|asked|wanted|Wanted|Found|Known|Watched|More|Given)\b/g;
    const named = inner.flatMap(({ path, text }) => [...text.matchAll(declared)].map(([, name]) => `${path}: ${name}`));
    expect(named).toEqual([]);
  });

  test("no function of the hard rooms is longer than 40 lines", () => {
    const hard =
      /^src\/(db\/(connection|run-statement)|rpc\/calls\/[\w-]+|server\/(grpc\/streams|http\/sockets)|resources\/events\/(feed|tails?))\.ts$/;
    const rooms = sources.filter(({ path }) => hard.test(path));
    expect(rooms.length).toBeGreaterThan(15);
    const long = rooms.flatMap(({ path, text }) =>
      functionsIn(text).flatMap(({ name, lines }) => (lines > 40 ? `${path}: ${name}` : [])),
    );
    expect(long).toEqual([]);
  });

  test("every table is keyed by tenant", () => {
    const migrations = sources
      .filter(({ path }) => /^src\/db\/migrations\/\d/.test(path))
      .map(({ text }) => text)
      .join("\n");
    const tables = [...migrations.matchAll(/create table (\w+) \(([\s\S]*?)\n {4}\);/g)];
    expect(tables.length).toBeGreaterThan(5);
    for (const [, table = "", body = ""] of tables) {
      const keys = [...body.matchAll(/(?:primary key|unique|foreign key) \((\w+)/g)].map(([, first]) => first);
      const inline = /tenant_id text collate "C" primary key/.test(body);
      expect(inline || (keys.length > 0 && keys.every((first) => first === "tenant_id")), table).toBe(true);
    }
  });

  test("only config reads the environment", () => {
    const readers = sources.filter(({ text }) => /process\.env\b/.test(text));
    expect(readers.map(({ path }) => path)).toEqual(["src/config.ts"]);
  });

  test("no import goes in a circle, type-only ones included", () => {
    const importsOf = new Map(sources.map(({ path, imports }) => [path, imports]));
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(" > "));
      if (done.has(path) || trail.includes(path)) return;
      for (const to of importsOf.get(path) ?? []) visit(to, [...trail, path]);
      done.add(path);
    };
    for (const { path } of sources) visit(path, []);
    expect(circles).toEqual([]);
  });

  test("no file is longer than 300 lines, is named utils or the like, re-exports, or exports a default", () => {
    for (const { path, text } of files) {
      expect(text.split("\n").length, path).toBeLessThanOrEqual(301);
      expect(path).not.toMatch(/\/(utils?|helpers?|common|misc|types)[./]/);
      expect(path.split("/").slice(1).join("/")).toMatch(/^[a-z0-9_./-]+$/);
      if (path.startsWith("src/")) expect(text, path).not.toMatch(/^export (\*|\{[^}]*\}) from|^export default/m);
    }
  });
});

// By the layout: the body of a function ends with the first brace that is indented as far as its first line.
function functionsIn(text: string): { name: string; lines: number }[] {
  const lines = text.split("\n");
  return lines.flatMap((line, start) => {
    const isFunction = /\bfunction\b|=> \{$|^ +(?:(?:override|async|get) )*\w+\(.*\{$/.test(line);
    const [indent = ""] = /^ */.exec(line) ?? [];
    if (!isFunction || /^ *(\/\/|\*|(if|for|while|switch|return)\b)/.test(line)) return [];
    const length = lines.slice(start).findIndex((other) => other.startsWith(`${indent}}`));
    return [{ name: line.trim(), lines: length + 1 }];
  });
}

function sourcesBelow(folder: string): { path: string; text: string; imports: string[] }[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|tsx|mjs)$/.test(name) && !name.includes("node_modules"))
    .map((name) => {
      const path = join(folder, name);
      const text = readFileSync(path, "utf8");
      const imports = [...text.matchAll(/from "(\.[^"]+)"/g)].map(([, to = ""]) =>
        normalize(join(dirname(path), to)).replace(/\.js$/, ".ts"),
      );
      return { path, text, imports };
    });
}
