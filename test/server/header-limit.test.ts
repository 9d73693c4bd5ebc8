import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reasonOf } from "../../src/rpc/errors.js";
import { Echo } from "./echo.js";
import { customers, failureOf, getCustomerPath, grpcJs, name, type Rig, startRig, wires } from "./rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(async () => await rig[Symbol.asyncDispose]());

const refused = { code: Code.ResourceExhausted, reason: "MESSAGE_TOO_LARGE" };
const overHttp2 = wires.filter((wire) => /HTTP\/2|gRPC of Connect/.test(wire.name));

describe.for(overHttp2)("over $name", ({ name: wire, transport }) => {
  test("a header of more than 16 KiB is RESOURCE_EXHAUSTED, on a new connection and on a used one", async () => {
    const client = customers(transport(rig));
    for (const size of [16_384, 32_768, 40_000]) {
      const headers = { "x-large": "x".repeat(size) };
      const failure = await failureOf(client.getCustomer({ id: "cus_large" }, { headers }));
      expect(failure).toMatchObject(refused);
      expect((await client.getCustomer({ id: "cus_1" })).customer?.name).toBe(name);
    }
    expect(rig.seen.some((headers) => headers.has("x-large"))).toBe(false);
    const protocol = /gRPC-Web/.test(wire) ? "grpc-web" : /gRPC/.test(wire) ? "grpc" : "connect";
    const line = await rig.line((each) => each.protocol === protocol && each.code === "RESOURCE_EXHAUSTED");
    expect(line).toMatchObject({ method: getCustomerPath.slice(1), reason: "MESSAGE_TOO_LARGE" });
  });

  test("many small fields are as large as HTTP/2 counts them", async () => {
    // Without the 32 bytes that HTTP/2 adds to each they would do.
    const fields = Array.from({ length: 110 }, (_, i) => [`x-small-${String(i).padStart(3, "0")}`, "x".repeat(110)]);
    const call = customers(transport(rig)).getCustomer({ id: "cus_1" }, { headers: Object.fromEntries(fields) });
    expect(await failureOf(call)).toMatchObject(refused);
  });

  test("a stream is refused as a call is", async () => {
    const method = Echo.method.serverStream!;
    const text = create(method.input, { value: "x" } as never);
    const inputs = (async function* () {
      yield text;
    })();
    const call = async () => {
      const headers = { "x-large": "x".repeat(20_000) };
      const { message } = await transport(rig).stream(method as never, undefined, undefined, headers, inputs);
      for await (const _ of message);
    };
    expect(await failureOf(call())).toMatchObject(refused);
  });
});

test.for(["publicPort", "internalPort"] as const)("grpc-js is told so, with the reason, on the %s", async (port) => {
  const { Metadata } = await import("@grpc/grpc-js");
  const metadata = new Metadata();
  metadata.set("x-large", "x".repeat(20_000));
  await expect(grpcJs(rig[port].port, "cus_1", { metadata })).rejects.toMatchObject(refused);
});

/** A request over a session of its own; the answer, once the stream is closed. */
async function request(client: ClientHttp2Session, headers: IncomingHttpHeaders, body?: string) {
  const stream = client.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return await answerOn(stream);
}

async function answerOn(stream: ClientHttp2Stream) {
  const [answer] = (await once(stream, "response")) as [IncomingHttpHeaders];
  const chunks = await stream.toArray();
  if (!stream.closed) await once(stream, "close");
  return { status: answer[":status"], headers: answer, text: Buffer.concat(chunks).toString() };
}

async function session(port: "publicPort" | "internalPort") {
  const client = connect(`http://127.0.0.1:${rig[port].port}`);
  return Object.assign(client, { [Symbol.dispose]: () => client.destroy() });
}

const large = { "x-large": "x".repeat(20_000) };

test("a large header of a request that is no call is answered 431 on the public port, and its session goes on", async () => {
  using client = await session("publicPort");
  for (const method of ["GET", "OPTIONS"]) {
    const answer = await request(client, { ":path": "/healthz", ":method": method, ...large });
    expect(answer.status).toBe(431);
    expect(JSON.parse(answer.text)).toMatchObject({ code: "resource_exhausted" });
  }
  expect(await request(client, { ":path": "/healthz" })).toMatchObject({ status: 200, text: "ok\n" });
});

test("a large header of a request that is no call is answered 431 on the internal port, and its session goes on", async () => {
  using client = await session("internalPort");
  const json = { ":method": "POST", ":path": getCustomerPath, "content-type": "application/json" };
  expect((await request(client, { ...json, ...large }, "{}")).status).toBe(431);
  expect((await request(client, json, "{}")).status).toBe(415);
});

test("a call of Connect is answered at once, without waiting for its body", async () => {
  using client = await session("publicPort");
  const headers = { ":method": "POST", ":path": getCustomerPath, "content-type": "application/json" };
  // Its body never ends.
  const stream = client.request({ ...headers, ...large }, { endStream: false });
  stream.write('{"id":"');
  const answer = await answerOn(stream);
  expect(answer.status).toBe(429);
  const error = errorFromJson(JSON.parse(answer.text), undefined, new ConnectError("?"));
  expect([error.code, reasonOf(error)]).toEqual([refused.code, refused.reason]);
  expect((await request(client, headers, '{"id":"cus_1"}')).status).toBe(200);
});

test.for(["publicPort", "internalPort"] as const)("16 KiB are allowed, and no byte more, on the %s", async (port) => {
  using client = await session(port);
  const headers = {
    ":method": "POST",
    ":scheme": "http",
    ":authority": "x",
    ":path": "/no.Such/Method",
    "content-type": "application/grpc",
    te: "trailers",
    "x-large": "",
  };
  const size = Object.entries(headers).reduce((sum, [field, value]) => sum + field.length + value.length + 32, 0);
  const statuses = [16_384, 16_385].map(async (total) => {
    const answer = await request(client, { ...headers, "x-large": "x".repeat(total - size) }, "");
    return Number(answer.headers["grpc-status"]);
  });
  expect(await Promise.all(statuses)).toEqual([Code.Unimplemented, Code.ResourceExhausted]);
});
