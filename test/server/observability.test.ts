import { Writable } from "node:stream";
import { type Logger, pino } from "pino";
import { expect, test, vi } from "vitest";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { errorForLog } from "../../src/rpc/log.js";
import { useClientele } from "../support/clientele.js";
import { failureOf } from "../support/errors.js";
import { casesOf, methods, nameOf, requestFor } from "../support/scenario.js";
import { overFetch, pathOf, ways } from "../support/ways.js";
import { canary, canaryPhone, populate } from "../support/world.js";

type Line = Readonly<Record<string, unknown>>;

const { createCustomer, getCustomer } = CustomerService.method;
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;

let lines: Line[] = [];
const clientele = useClientele({ logger: captured() });

// As createLogger makes it, at the level that says most.
function captured(): Logger {
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(
        ...String(chunk)
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line)),
      );
      done();
    },
  });
  return pino({ level: "trace", base: null, serializers: { error: errorForLog, err: errorForLog } }, stream);
}

/** The line of a call, which is written when the connection has taken the answer. */
async function lineWhere(matches: (line: Line) => boolean): Promise<Line> {
  return await vi.waitFor(() => lines.find(matches) ?? expect.fail("there is no such line"));
}

async function tenant() {
  const account = await clientele.createAccount();
  return { account, world: await populate(account.test) };
}

// For calls that are refused.
let refused: ReturnType<typeof tenant> | undefined;

test.for(ways.filter(({ name }) => !name.startsWith("buf")))("a call has one line over $name", async ({ open }) => {
  const { account, world } = await tenant();
  const call = open(clientele, account.testKey);
  lines = [];
  await call(getCustomer, { id: world.customer }, { traceparent });
  const method = "clientele.v1.CustomerService/GetCustomer";
  const line = await lineWhere((one) => one.method === method);
  expect(line).toMatchObject({ level: 30, code: "OK", traceId, msg: "call" });
  expect(line.durationMs).toBeGreaterThan(0);
  expect(line.tenantId).toMatch(/^ten_/);
  expect(line.actor).toMatch(/^key_/);
  await failureOf(call(getCustomer, { id: "cus_absent" }));
  expect(await lineWhere(({ code }) => code === "NOT_FOUND")).toMatchObject({ method, reason: "RESOURCE_NOT_FOUND" });
  expect(lines).toHaveLength(2);
});

test.for(casesOf(methods))("$name has one line, without personal data, keys or free text", async ({ method }) => {
  const { account, world } = await tenant();
  const call = overFetch(clientele.httpUrl, account.testKey);
  lines = [];
  await call(method, requestFor(method, world));
  const [line] = [await lineWhere(({ method: name }) => name === pathOf(method).slice(1))];
  expect(line).toMatchObject({ code: "OK" });
  expect(lines, nameOf(method)).toHaveLength(1);
  expectImpersonal(account.testKey);
});

test.for(casesOf(methods))("$name tells no text of a request that it refuses", async ({ method }) => {
  refused ??= tenant();
  const { account, world } = await refused;
  lines = [];
  const call = overFetch(clientele.httpUrl, account.testKey);
  const request = requestFor(method, world);
  await failureOf(call(method, request, { "api-key": `${canary}_wrong` }));
  await failureOf(call(method, [canary]));
  await failureOf(call(method, request, { authorization: `Basic ${canary}`, "api-key": canary }));
  await fetch(`${clientele.httpUrl}${pathOf(method)}${canary}?${canary}=1`, { method: "POST", body: canary });
  await vi.waitFor(() => expect(lines).toHaveLength(4));
  expectImpersonal(account.testKey);
});

function expectImpersonal(key: string): void {
  const text = JSON.stringify(lines);
  expect(text).not.toMatch(new RegExp(canary, "i"));
  expect(text).not.toContain(canaryPhone);
  expect(text).not.toContain(key.slice(-20));
  expect(text).not.toMatch(/example\.com|Texas|\b78701\b|select |insert |update .* set/i);
}

test("an unexpected failure is logged as an error, without the text of statement or values", async () => {
  const { account } = await tenant();
  lines = [];
  await clientele.db.raw("alter table customers rename column phone to phone_gone");
  try {
    const failed = overFetch(clientele.httpUrl, account.testKey)(
      createCustomer,
      { customer: { email: `${canary}@example.com`, name: canary } },
      { traceparent },
    );
    expect(await failureOf(failed)).toEqual({
      code: "Internal",
      reason: "INTERNAL",
      message: "Something went wrong on our side.",
      fields: {},
      retryable: false,
    });
  } finally {
    await clientele.db.raw("alter table customers rename column phone_gone to phone");
  }
  await lineWhere(({ code }) => code === "INTERNAL");
  expect(lines.map(({ level }) => level)).toEqual([50, 50]);
  expect(lines.every((line) => line.traceId === traceId)).toBe(true);
  expectImpersonal(account.testKey);
});

test("/metrics counts calls under labels that no client can make up", async () => {
  const { account, world } = await tenant();
  const call = overFetch(clientele.httpUrl, account.testKey);
  await call(getCustomer, { id: world.customer });
  await failureOf(call(getCustomer, { id: canary }));
  for (const path of [`/clientele.v1.${canary}/Get${canary}`, `/${canary}`, `/${canary}.Service/Method`]) {
    await fetch(clientele.httpUrl + path, { method: "POST", headers: { "content-type": "application/grpc" } });
  }
  const metrics = await (await fetch(clientele.metricsUrl)).text();
  const label = 'rpc_method="clientele.v1.CustomerService/GetCustomer",rpc_system="connect"';
  expect(metrics).toContain(`rpc_server_call_duration_seconds_count{${label},rpc_response_status_code="OK"}`);
  expect(metrics).toContain(`rpc_server_call_duration_seconds_count{${label},rpc_response_status_code="NOT_FOUND"}`);
  expect(metrics).not.toMatch(new RegExp(canary, "i"));
  expect(metrics).not.toContain(account.accountId);
  const names = new Set([...metrics.matchAll(/rpc_method="([^"]*)"/g)].map(([, name]) => name));
  const known = new Set([...methods.map((method) => pathOf(method).slice(1)), "unknown"]);
  expect([...names].filter((name) => !known.has(name!))).toEqual([]);
});
