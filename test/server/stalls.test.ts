import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HttpResponse } from "../../src/server/http/requests.js";
import { generousMs } from "../support/time.js";
import { startRig } from "./rig.js";

type Rig = Awaited<ReturnType<typeof startRig>>;

const limits = { prefaceMs: 200, stallMs: 300, idleMs: 400 };
const ports = [{ which: "public" }, { which: "internal" }] as const;
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

function largePage(_: unknown, res: HttpResponse): boolean {
  res.end("x".repeat(16 * 1024));
  return true;
}

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({ limits, extraHandler: largePage }, { limits });
});
afterAll(async () => await rig[Symbol.asyncDispose]());

const portOf = (which: string) => (which === "public" ? rig.publicPort : rig.internalPort).port;

describe.for(ports)("on the $which port", ({ which }) => {
  test.for([
    { name: "nothing", bytes: Buffer.alloc(0) },
    { name: "a preface and nothing behind it", bytes: preface },
  ])("a connection that sends $name is closed soon", async ({ bytes }) => {
    const socket = connect({ port: portOf(which), host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    const since = performance.now();
    socket.on("error", () => {}).resume();
    socket.write(bytes);
    await once(socket, "end");
    expect(performance.now() - since).toBeLessThan(generousMs);
    socket.destroy();
  });

  test("a connection that made no call for long is closed, though its client never hangs up", async () => {
    const socket = connect({ port: portOf(which), host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    socket.on("error", () => {}).resume();
    socket.write(Buffer.concat([preface, settings]));
    await once(socket, "end");
    socket.destroy();
  });

  test("a call whose client takes nothing of its answer is ended", async () => {
    const session = connectHttp2(`http://127.0.0.1:${portOf(which)}`, { settings: { initialWindowSize: 0 } });
    session.on("error", () => {});
    const stream = session.request({
      ":method": "POST",
      ":path": "/clientele.v1.CustomerService/GetCustomer",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => {});
    const since = performance.now();
    stream.end(getCustomer("cus_1"));
    await once(stream, "close");
    expect(performance.now() - since).toBeGreaterThan(limits.stallMs);
    session.destroy();
  });
});

test("a connection of HTTP/1.1 whose client asks and asks and reads nothing is closed", async () => {
  const socket = connect(portOf("public"), "127.0.0.1");
  await once(socket, "connect");
  const closed = new Promise((resolve) => socket.pause().on("error", resolve).once("close", resolve));
  // Far more answers than the sockets between them hold; in the end nobody takes the requests either.
  const requests = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
  const asking = setInterval(() => socket.write(requests), 20);
  await closed;
  clearInterval(asking);
}, 30_000);

function getCustomer(id: string): Uint8Array {
  const text = new TextEncoder().encode(id);
  return encodeEnvelope(0, new Uint8Array([10, text.length, ...text]));
}
