import { once } from "node:events";
import { Agent, get, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Code, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { createConnections } from "../../src/server/connections/connections.js";
import { drain } from "../../src/server/connections/drain.js";
import { defaultLimits } from "../../src/server/connections/limits.js";
import { createPlaces } from "../../src/server/connections/places.js";
import type { HttpResponse } from "../../src/server/http/requests.js";
import { createSocketServer } from "../../src/server/http/sockets.js";
import { customers, grpcJs, name, type Rig, startRig } from "./rig.js";

const generousMs = 10_000;
const calls: { name: string; call: (rig: Rig) => (id: string) => Promise<{ name?: string | undefined }> }[] = [
  {
    name: "Connect over HTTP/1.1",
    call: by((rig) => createConnectTransport({ baseUrl: rig.url(), httpVersion: "1.1" })),
  },
  { name: "Connect over HTTP/2", call: by((rig) => createConnectTransport({ baseUrl: rig.url(), httpVersion: "2" })) },
  { name: "gRPC-Web", call: by((rig) => createGrpcWebTransport({ baseUrl: rig.url(), httpVersion: "2" })) },
  { name: "gRPC", call: by((rig) => createGrpcTransport({ baseUrl: rig.url() })) },
  {
    name: "gRPC, internal",
    call: by((rig) => createGrpcTransport({ baseUrl: `http://127.0.0.1:${rig.internalPort.port}` })),
  },
  { name: "grpc-js, public", call: (rig) => (id) => grpcJs(rig.publicPort.port, id) },
  { name: "grpc-js, internal", call: (rig) => (id) => grpcJs(rig.internalPort.port, id) },
];

function by(transport: (rig: Rig) => Transport) {
  return (rig: Rig) => {
    const client = customers(transport(rig));
    return async (id: string) => (await client.getCustomer({ id })).customer ?? {};
  };
}

describe("a drain", () => {
  test("loses none of the calls in flight, of any protocol, and takes no new one", async () => {
    await using rig = await startRig();
    const each = 25;
    const inFlight = calls.flatMap(({ call }) => Array.from({ length: each }, () => call(rig)("cus_gate")));
    await rig.atGate(each * calls.length);
    const drained = drain([rig.publicPort, rig.internalPort], rig.readiness, generousMs);
    expect(rig.readiness.serving).toBe(false);
    await expect
      .poll(() =>
        fetch(rig.url("/healthz")).then(
          () => "answers",
          () => "refused",
        ),
      )
      .toBe("refused");
    for (const port of [rig.publicPort.port, rig.internalPort.port]) {
      await expect(grpcJs(port, "cus_1")).rejects.toMatchObject({ code: Code.Unavailable });
    }
    rig.gate.resolve();
    const answers = await Promise.all(inFlight);
    expect(answers.filter((answer) => answer.name === name)).toHaveLength(each * calls.length);
    await drained;
  });

  test.for(calls)("under load fails only calls that never began, over $name", async ({ call }) => {
    await using rig = await startRig();
    const client = call(rig);
    let answered = 0;
    let draining: Promise<void> | undefined;
    const worker = async () => {
      while (true) {
        try {
          expect((await client("cus_1")).name).toBe(name);
          answered += 1;
        } catch {
          return;
        }
        if (answered > 200) draining ??= drain([rig.publicPort, rig.internalPort], rig.readiness, generousMs);
      }
    };
    await Promise.all(Array.from({ length: 25 }, worker));
    await draining;
    const begun = rig.seen.length;
    expect(answered).toBe(begun);
  });

  test("answers the call that follows an answer whose header promised to keep the connection", async () => {
    const ending: ServerResponse[] = [];
    const connections = createConnections();
    const handler = (_: unknown, res: HttpResponse) => {
      ending.push(res as ServerResponse);
      if (ending.length === 1) (res as ServerResponse).write("begun");
      else res.end();
    };
    const server = createSocketServer(
      handler,
      connections,
      createPlaces(defaultLimits),
      defaultLimits,
      undefined,
    ).listen(0);
    await once(server, "listening");
    const agent = new Agent({ keepAlive: true });
    const call = () => get({ port: (server.address() as AddressInfo).port, agent });

    const [first] = await once(call(), "response");
    const closed = connections.close(server, generousMs);
    ending[0]?.end();
    await once(first.resume(), "end");
    const next = call();
    const [second] = await once(next, "response");
    expect(next.reusedSocket).toBe(true);
    expect(second.headers.connection).toBe("close");
    await closed;
  });

  test("closes idle connections at once", async () => {
    await using rig = await startRig();
    for (const { call } of calls) await call(rig)("cus_1");
    const start = performance.now();
    await drain([rig.publicPort, rig.internalPort], rig.readiness, generousMs);
    expect(performance.now() - start).toBeLessThan(generousMs / 2);
  });

  test.for(calls)("aborts what outlives the grace, over $name", async ({ call }) => {
    await using rig = await startRig();
    const failed = expect(call(rig)("cus_slow")).rejects.toBeDefined();
    await rig.started("cus_slow");
    await drain([rig.publicPort, rig.internalPort], rig.readiness, 50);
    await rig.aborted;
    await failed;
  });
});
