import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { getCustomerPath, type Rig, startRig } from "./rig.js";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
// A HEADERS frame of stream 1 with `:method: GET` and without END_HEADERS.
const openHeaders = Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]);

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const connection of open.splice(0)) connection.destroy();
});

describe("with places for three connections", () => {
  const limits = { connections: 3 };

  test("those without an authenticated call go first, the oldest of them before the others", async () => {
    await using rig = await startRig({ limits });
    const customer = session(rig);
    expect(await call(customer)).toBe(200);
    const [first, second] = [await socket(rig), await socket(rig)];
    const third = await socket(rig);
    await closed(first);
    const fourth = await socket(rig);
    await closed(second);
    expect([third, fourth].map(({ destroyed }) => destroyed)).toEqual([false, false]);
    expect(await call(customer)).toBe(200);
  });

  test("the network that holds the most of them makes room for another one", async () => {
    await using rig = await startRig({ limits });
    const crowd = [session(rig, "127.0.0.2"), session(rig, "127.0.0.2"), session(rig, "127.0.0.2")];
    for (const one of crowd) expect(await call(one)).toBe(200);
    const newcomer = session(rig);
    expect(await call(newcomer)).toBe(200);
    await expect.poll(() => crowd.filter(({ destroyed }) => destroyed).length).toBe(1);
  });

  test("a connection with an authenticated call in flight never goes", async () => {
    await using rig = await startRig({ limits });
    const busy = [session(rig), session(rig), session(rig)];
    const answers = busy.map((one) => call(one, "cus_gate"));
    await rig.atGate(busy.length);
    await closed(await socket(rig));
    rig.gate.resolve();
    expect(await Promise.all(answers)).toEqual([200, 200, 200]);
  });
});

describe("an HTTP/2 connection", () => {
  const limits = { firstCallMs: 2_500 };

  test("is closed soon unless it makes an authenticated call", async () => {
    await using rig = await startRig({ limits });
    const idle = session(rig);
    const stranger = session(rig);
    const customer = session(rig);
    expect(await call(stranger, "cus_1", "/no.Service/Method")).toBe(200);
    expect(await call(customer)).toBe(200);
    await Promise.all([closed(idle), closed(stranger)]);
    // Longer than the limit, while it sends something that is no call.
    for (let i = 0; i < 18; i++) {
      await sleep(150);
      customer.ping(() => {});
    }
    expect(await call(customer)).toBe(200);
  });

  test("whose header never ends is closed", async () => {
    await using rig = await startRig({ limits: { headersMs: 400 } });
    const client = await socket(rig);
    const since = performance.now();
    client.write(Buffer.concat([preface, settings, openHeaders]));
    await closed(client);
    expect(performance.now() - since).toBeLessThan(10_000);
  });
});

function session(rig: Rig, localAddress = "127.0.0.1"): ClientHttp2Session {
  const { port } = rig.publicPort;
  const client = connectHttp2(rig.url(), {
    createConnection: () => connect({ port, host: "127.0.0.1", localAddress }),
  });
  client.on("error", () => {});
  open.push(client);
  return client;
}

async function call(client: ClientHttp2Session, id = "cus_1", path = getCustomerPath): Promise<number> {
  const stream = client.request({
    ":method": "POST",
    ":path": path,
    "content-type": path === getCustomerPath ? "application/json" : "application/grpc",
  });
  stream.end(JSON.stringify({ id }));
  const [header] = await once(stream, "response");
  await once(stream.resume(), "close");
  return header[":status"];
}

async function socket(rig: Rig): Promise<Socket> {
  const client = connect(rig.publicPort.port, "127.0.0.1");
  client.on("error", () => {}).resume();
  open.push(client);
  await once(client, "connect");
  return client;
}

async function closed(connection: Socket | ClientHttp2Session): Promise<void> {
  if (!connection.destroyed) await once(connection, "close");
}
