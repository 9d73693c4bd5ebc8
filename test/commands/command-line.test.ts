import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { cleanEnvironment, createHome, type Ended, type Home, type Serving } from "../support/command.js";
import { failureOf } from "../support/errors.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";

describe("serve", () => {
  test("keeps its data and its key over a restart, and makes one demo account only", async () => {
    await using home = await createHome();
    const first = await home.serve();
    const { customer } = await customersOf(first, first.key!).createCustomer({
      customer: { email: "ada@example.com" },
    });
    await first.end("SIGTERM");
    const second = await home.serve();
    expect(second.key).toBeUndefined();
    const found = await customersOf(second, first.key!).getCustomer({ id: customer!.id });
    expect(found.customer).toEqual(customer);
  });

  test.for(["SIGTERM", "SIGINT"] as const)("ends on %s with 0, and leaves no Postgres", async (signal) => {
    await using home = await createHome();
    const serving = await home.serve();
    const { code, stderr } = await serving.end(signal);
    expect({ code, left: home.postmaster() }).toEqual({ code: 0, left: undefined });
    expect(stderr.trim()).toBe("started the embedded Postgres");
  });

  test.for([50, 300, 600, 1000])(
    "ends when it is told to %i ms after its start, and leaves no Postgres",
    async (ms) => {
      await using home = await createHome();
      const starting = home.start(["serve"]);
      await sleep(ms);
      starting.process.kill("SIGTERM");
      const { stderr } = await starting.ended;
      expect(stderr).not.toMatch(/^ +at /m);
      expect(home.postmaster()).toBeUndefined();
    },
  );

  const endings = [
    { name: "npm itself gets SIGTERM", end: (npm: number) => process.kill(npm, "SIGTERM") },
    { name: "the terminal sends Ctrl-C to all", end: (npm: number) => process.kill(-npm, "SIGINT") },
  ];
  test.for(endings)("ends with npm start when $name, and leaves no Postgres", async ({ end }) => {
    await using home = await createHome();
    const ports = { CLIENTELE_HTTP_PORT: "0", CLIENTELE_GRPC_PORT: "0" };
    const env = { ...cleanEnvironment(), ...ports, CLIENTELE_DATA_DIR: home.dataDir };
    const npm = spawn("npm", ["start"], { env, detached: true, stdio: ["ignore", "pipe", "ignore"] });
    let said = "";
    npm.stdout.on("data", (text) => (said += text));
    await expect.poll(() => said, { timeout: 30_000 }).toContain("Clientele serves");
    end(npm.pid!);
    await once(npm, "close");
    await expect.poll(() => home.postmaster(), { timeout: 10_000 }).toBeUndefined();
  });

  test("runs twice in one folder, with one demo account, and the last one out stops Postgres", async () => {
    await using home = await createHome();
    const [one, other] = await Promise.all([home.serve(), home.serve()]);
    expect([one.key, other.key].filter((key) => key !== undefined)).toHaveLength(1);
    const key = (one.key ?? other.key)!;
    const { customer } = await customersOf(one, key).createCustomer({ customer: { email: "ada@example.com" } });
    await one.end("SIGTERM");
    expect(home.postmaster()).toBeDefined();
    expect((await customersOf(other, key).getCustomer({ id: customer!.id })).customer).toEqual(customer);
    await other.end("SIGTERM");
    expect(home.postmaster()).toBeUndefined();
  });

  test("starts its Postgres again when something kills it", async () => {
    await using home = await createHome();
    const serving = await home.serve();
    const before = home.postmaster()!;
    process.kill(before, "SIGKILL");
    const customers = customersOf(serving, serving.key!);
    await expect.poll(() => customers.listCustomers({}).then(() => "ok", String), { timeout: 20_000 }).toBe("ok");
    expect(home.postmaster()).not.toBe(before);
    expect((await serving.end("SIGTERM")).code).toBe(0);
    expect(home.postmaster()).toBeUndefined();
  });

  test("starts without metrics where the usual port for them is taken, and says so", async () => {
    await using home = await createHome();
    const usual = createServer().listen(9464, "127.0.0.1");
    // Taken by somebody else is taken, too.
    await Promise.race([once(usual, "listening"), once(usual, "error")]).catch(() => {});
    const serving = await home.serve({ CLIENTELE_METRICS_PORT: "" });
    expect(serving.welcome).not.toContain("/metrics");
    const { code, stderr } = await serving.end("SIGTERM");
    expect(code).toBe(0);
    expect(stderr).toContain("port 9464 is in use");
    usual.close();
  });

  test("makes no demo account in a database of one's own", async () => {
    await using home = await createHome();
    const database = await createTestDatabase();
    const serving = await home.serve({ DATABASE_URL: database.url });
    expect(serving.key).toBeUndefined();
    expect(home.postmaster()).toBeUndefined();
    expect((await serving.end("SIGTERM")).code).toBe(0);
    await database.drop();
  });
});

describe("a start that fails", () => {
  const ports = ["CLIENTELE_HTTP_PORT", "CLIENTELE_GRPC_PORT", "CLIENTELE_METRICS_PORT"];
  test.for(ports)("names the port of %s that is taken", async (variable) => {
    await using home = await createHome();
    const port = await takePort();
    const ended = await home.run(["serve"], { [variable]: String(port) });
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(messageOf(ended)).toBe(
      `Port ${port} is in use: end what uses it, or set CLIENTELE_HTTP_PORT, CLIENTELE_GRPC_PORT and CLIENTELE_METRICS_PORT to free ones.`,
    );
    expect(home.postmaster()).toBeUndefined();
    // The demo account's key was not shown: it must come with the next start.
    expect((await home.serve()).key).toMatch(/^sk_test_/);
  });

  const failures = [
    {
      name: "every wrong variable at once",
      environment: { CLIENTELE_HTTP_PORT: "70000", CLIENTELE_POOL_SIZE: "0", CLIENTELE_LOG_LEVEL: "loud" },
      says: /^The environment is not usable:\n {2}CLIENTELE_HTTP_PORT: .+\n {2}CLIENTELE_POOL_SIZE: .+\n {2}CLIENTELE_LOG_LEVEL: .+$/,
    },
    {
      name: "a database that does not answer",
      environment: { DATABASE_URL: "postgres://nobody:secret@127.0.0.1:1/none" },
      says: /^The database cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:1$/,
    },
    {
      name: "a certificate that is absent",
      environment: { CLIENTELE_TLS_CERT_FILE: "/nowhere.pem", CLIENTELE_TLS_KEY_FILE: "/nowhere.pem" },
      says: /^ENOENT: no such file or directory, open '\/nowhere.pem'$/,
    },
    {
      name: "a folder that is none",
      environment: { CLIENTELE_DATA_DIR: join(import.meta.dirname, "command-line.test.ts") },
      says: /^EEXIST: file already exists, mkdir '.+'$/,
    },
  ];
  test.for(failures)("names $name", async ({ environment, says }) => {
    await using home = await createHome();
    const ended = await home.run(["serve"], environment);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(messageOf(ended)).toMatch(says);
    expect(home.postmaster()).toBeUndefined();
  });
});

describe("commands", () => {
  let own: Home;
  let database: TestDatabase;
  // On a running database, because to start the embedded Postgres for each command takes longer than the command.
  const home = {
    run: (args: readonly string[]) => own.run(args, { DATABASE_URL: database.url }),
    serve: () => own.serve({ DATABASE_URL: database.url }),
  };
  beforeAll(async () => {
    [own, database] = await Promise.all([createHome(), createTestDatabase()]);
    for (const name of ["Acme", "Other"]) await home.run(["account", "create", "--name", name]);
  });
  afterAll(async () => {
    await own[Symbol.asyncDispose]();
    await database.drop();
  });

  test("account create prints keys of both tenants, as text and as JSON", async () => {
    const text = await home.run(["account", "create", "--name", "Third", "--preset", "SIMPLE_CHECKOUT"]);
    expect(text.stdout).toMatch(/^Account acc_\w{26}\nTest key sk_test_\w+\nLive key sk_live_\w+\n$/);
    const { stdout } = await home.run(["account", "create", "--name", "Fourth", "--json"]);
    expect(JSON.parse(stdout)).toEqual({
      accountId: expect.stringMatching(/^acc_/),
      testKey: expect.stringMatching(/^sk_test_/),
      liveKey: expect.stringMatching(/^sk_live_/),
    });
  });

  test("a name or a label with the number of a card is refused, and not repeated", async () => {
    const account = await home.run(["account", "create", "--name", "4242 4242 4242 4242"]);
    const key = await home.run(["key", "create", "--account", "Acme", "--label", "4242-4242-4242-4242"]);
    expect([account.code, key.code]).toEqual([1, 1]);
    expect(messageOf(account)).toBe("The name must not hold the number of a payment card.");
    expect(messageOf(key)).toBe("The label must not hold the number of a payment card.");
  });

  test("key asks which account if there are several", async () => {
    const ended = await home.run(["key", "list"]);
    expect(ended.code).toBe(1);
    expect(messageOf(ended)).toMatch(/^Say which account, with --account and its id:(\n {2}acc_\w+ {2}\w+){2,}$/);
  });

  test("a key is made, listed and revoked beside a running server", async () => {
    const serving = await home.serve();
    const create = ["key", "create", "--account", "Acme", "--label", "Till 3", "--json"];
    const { apiKey, secret } = JSON.parse((await home.run(create)).stdout);
    const customers = customersOf(serving, secret);
    await customers.listCustomers({});

    const listed = await home.run(["key", "list", "--account", "Acme"]);
    expect(listed.stdout).toContain(`${apiKey.id} secret …${secret.slice(-4)} Till 3\n`);
    expect(listed.stdout).not.toContain(secret);
    const live = await home.run(["key", "list", "--account", "Acme", "--mode", "live", "--json"]);
    expect(JSON.parse(live.stdout).apiKeys).toMatchObject([{ liveMode: true, label: "The first key" }]);

    const revoked = await home.run(["key", "revoke", apiKey.id, "--account", "Acme"]);
    expect(revoked.stdout).toBe(`${apiKey.id} secret …${secret.slice(-4)} revoked Till 3\n`);
    const refused = () => failureOf(customers.listCustomers({})).then(({ reason }) => reason);
    await expect.poll(refused).toBe("CREDENTIALS_INVALID");
    const again = await home.run(["key", "revoke", apiKey.id, "--account", "Acme"]);
    expect(again.code).toBe(1);
    expect(messageOf(again)).toBe(`The key ${apiKey.id} is revoked already.`);
    await serving.end("SIGTERM");
  });

  test("migrate says what it did, and stops the Postgres that it started", async () => {
    await using fresh = await createHome();
    expect(await fresh.run(["migrate"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Applied 0001_initial/),
    });
    expect(await fresh.run(["migrate"])).toMatchObject({ code: 0, stdout: "The schema is up to date.\n" });
    expect(fresh.postmaster()).toBeUndefined();
    const none = await fresh.run(["key", "create"]);
    expect(messageOf(none)).toBe("There is no account yet: clientele account create --name NAME");
  });

  const mistakes = [
    { args: ["frob"], says: "error: unknown command 'frob'" },
    { args: ["serve", "--port", "1"], says: "error: unknown option '--port'" },
    { args: ["serve", "now"], says: /^error: too many arguments for 'serve'/ },
    { args: ["account", "create"], says: "error: required option '--name <name>' not specified" },
    { args: ["account", "create", "--name", "A", "--preset", "X"], says: /'X' is invalid. Allowed choices are OPEN, / },
    { args: ["key", "create", "--mode", "both"], says: /'both' is invalid. Allowed choices are test, live.$/ },
    { args: ["key", "revoke"], says: "error: missing required argument 'id'" },
    { args: ["key", "revoke", "key_none", "--account", "Acme"], says: "There is no key key_none in the test tenant." },
  ];
  test.for(mistakes)("a wrong command is refused in one line: $args", async ({ args, says }) => {
    const ended = await home.run(args);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(messageOf(ended)).toEqual(says instanceof RegExp ? expect.stringMatching(says) : says);
    expect(messageOf(ended)).not.toContain("\n");
  });

  test("npx finds the command in a checkout", async () => {
    const npx = promisify(execFile)("npx", ["clientele", "--version"], { env: cleanEnvironment() });
    expect((await npx).stdout).toBe("0.1.0\n");
  });
});

function customersOf({ httpUrl }: Serving, key: string) {
  const transport = createConnectTransport({
    baseUrl: httpUrl,
    httpVersion: "1.1",
    interceptors: [
      (next) => async (request) => {
        request.header.set("api-key", key);
        return await next(request);
      },
    ],
  });
  return createClient(CustomerService, transport);
}

// Without what is said of the embedded Postgres on the way.
function messageOf({ stderr }: Ended): string {
  return stderr.replace(/^(started|joined) the .*embedded Postgres\n/gm, "").trim();
}

async function takePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  server.unref();
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}
