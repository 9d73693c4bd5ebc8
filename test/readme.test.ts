import { execFile } from "node:child_process";
import { accessSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { accessOf } from "../src/access.js";
import { services } from "../src/routes.js";
import { cleanEnvironment, createHome } from "./support/command.js";

const readme = read("README.md");
const examples = [
  { section: "### JSON, with curl", buyers: 1 },
  { section: "### gRPC, with buf curl", buyers: 1 },
  { section: "### In a program, with grpc-js", buyers: 2 },
];

test("the examples work word for word after a first start, one after the other and again", async () => {
  await using home = await createHome();
  const serving = await home.serve();
  const environment = {
    CLIENTELE_KEY: serving.key,
    CLIENTELE_URL: serving.httpUrl,
    CLIENTELE_HTTP: new URL(serving.httpUrl).host,
    CLIENTELE_GRPC: serving.grpcAddress,
  };
  for (const { section, buyers } of [...examples, ...examples.slice(-1)]) {
    const output = await paste(shellBlockOf(section), environment);
    expect(new Set(output.match(/(john|jane)\.\w+@example\.com/g)).size, section).toBe(buyers);
    expect(new Set(output.match(/\bchk_\w{26}\b/g)).size, section).toBe(2 * buyers);
  }
}, 120_000);

test("the commands that the first start prints work word for word", async () => {
  await using home = await createHome();
  const serving = await home.serve();
  const lines = serving.welcome
    .split("\n")
    .filter((line) => line.startsWith("  "))
    .slice(3);
  const output = await paste(lines.join("\n"), {});
  expect(output).toContain("john@example.com");
  expect(output).toContain("Next checkout: chk_");
}, 60_000);

test("the table of the configuration names every variable, and no other", () => {
  const named = [...read("docs/configuration.md").matchAll(/^\| `([A-Z_]+)` *\|/gm)].map(([, name]) => name);
  const known = [...read("src/config.ts").matchAll(/^ {4}([A-Z_]+): /gm)].map(([, name]) => name);
  expect(known.length).toBeGreaterThan(10);
  expect(named).toEqual(known);
});

test("the table of the services names every service, and no other", () => {
  const [, table = ""] = readme.split("## Services");
  const named = [...table.matchAll(/^\| `(\w+Service)` *\|/gm)].map(([, name]) => name);
  expect(named).toEqual(services.map(({ name }) => name));
});

test("the table of the services says of each whether customers may call any of it", () => {
  const [, table = ""] = readme.split("## Services");
  for (const { name, methods } of services) {
    const [, said = ""] = new RegExp(`^\\| \`${name}\` *\\|.*\\| (.*?) *\\|$`, "m").exec(table) ?? [];
    const callers = methods.flatMap((method) => accessOf(method).callers);
    expect({ name, none: said.startsWith("nothing"), guests: said.includes("the key") }).toEqual({
      name,
      none: !callers.includes("customer_token"),
      guests: callers.includes("publishable_key"),
    });
  }
});

test("the architecture gives a reason for every dependency", () => {
  const page = read("ARCHITECTURE.md");
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  const names = [...Object.keys(dependencies), ...Object.keys(devDependencies)].filter(
    (name) => !name.startsWith("@types/"),
  );
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test("every file that the documents point to exists", () => {
  const pages = readdirSync(pathOf("docs"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".md"),
  );
  const files = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", ...pages.map((page) => join("docs", page))];
  for (const file of files) {
    const targets = [...read(file).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target!);
    for (const target of targets) {
      expect(() => accessSync(pathOf(join(dirname(file), target))), `${file}: ${target}`).not.toThrow();
    }
  }
});

function shellBlockOf(section: string): string {
  const [, rest] = readme.split(`${section}\n`);
  const block = /```sh\n(.*?)```/s.exec(rest ?? "")?.[1];
  if (block === undefined) throw new Error(`README.md has no shell block below ${section}`);
  return block;
}

// As a shell that stops where a person would.
async function paste(lines: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const env = { ...cleanEnvironment(), ...environment };
  const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", lines], { env, cwd: pathOf(".") });
  return stdout;
}

function read(file: string): string {
  return readFileSync(pathOf(file), "utf8");
}

function pathOf(file: string): string {
  return join(import.meta.dirname, "..", file);
}
