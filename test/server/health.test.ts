import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.js";
import { failureOf, type Rig, startRig } from "./rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(async () => await rig[Symbol.asyncDispose]());

const wires: { name: string; transport: (r: Rig) => Transport }[] = [
  { name: "Connect", transport: (r) => createConnectTransport({ baseUrl: r.url(), httpVersion: "1.1" }) },
  { name: "gRPC-Web", transport: (r) => createGrpcWebTransport({ baseUrl: r.url(), httpVersion: "1.1" }) },
  { name: "gRPC, public port", transport: (r) => createGrpcTransport({ baseUrl: r.url() }) },
  {
    name: "gRPC, internal port",
    transport: (r) => createGrpcTransport({ baseUrl: `http://127.0.0.1:${r.internalPort.port}` }),
  },
];

describe.for(wires)("health over $name", ({ transport }) => {
  test.for(["", "clientele.v1.CustomerService", "grpc.health.v1.Health"])("checks %j", async (service) => {
    const health = createClient(Health, transport(rig));
    expect((await health.check({ service })).status).toBe(Status.SERVING);
    rig.readiness.set(false);
    expect((await health.check({ service })).status).toBe(Status.NOT_SERVING);
    rig.readiness.set(true);
  });

  test("knows no other service", async () => {
    const health = createClient(Health, transport(rig));
    expect((await failureOf(health.check({ service: "no.Such" }))).code).toBe(Code.NotFound);
  });

  test("lists every service", async () => {
    const { statuses } = await createClient(Health, transport(rig)).list({});
    expect(statuses["clientele.v1.CustomerService"]?.status).toBe(Status.SERVING);
  });

  test("tells a watcher of every change, and ends without error when the process drains", async () => {
    await using own = await startRig();
    const seen: Status[] = [];
    for await (const { status } of createClient(Health, transport(own)).watch({ service: "" })) {
      seen.push(status);
      if (seen.length === 1) own.readiness.set(false);
      if (seen.length === 2) own.readiness.set(true);
      if (seen.length === 3) own.readiness.close();
    }
    expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING, Status.NOT_SERVING]);
    expect((await own.line(({ method }) => method === "grpc.health.v1.Health/Watch")).level).toBe(20);
  });

  test("tells a watcher of an unknown service so, and stays with it", async () => {
    await using own = await startRig();
    const seen: Status[] = [];
    for await (const { status } of createClient(Health, transport(own)).watch({ service: "no.Such" })) {
      seen.push(status);
      own.readiness.close();
    }
    expect(seen).toEqual([Status.SERVICE_UNKNOWN]);
  });
});
