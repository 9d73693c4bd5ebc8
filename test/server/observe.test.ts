import { createConnectTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { customers, failureOf, grpcJs, type Rig, refusal, startRig, wires } from "./rig.js";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(async () => await rig[Symbol.asyncDispose]());

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;

test.for(wires)("each call has one line in the access log, over $name", async ({ transport }) => {
  await customers(transport(rig)).getCustomer({ id: "cus_1" }, { headers: { traceparent } });
  await failureOf(customers(transport(rig)).getCustomer({ id: "cus_refused" }));
  const method = "clientele.v1.CustomerService/GetCustomer";
  expect(await rig.line(({ code }) => code === "OK")).toMatchObject({
    method,
    traceId,
    tenantId: "acc_1",
    msg: "call",
  });
  const refused = await rig.line(({ code }) => code === "FAILED_PRECONDITION");
  expect(refused).toMatchObject({ method, reason: "CUSTOMER_DISABLED" });
  expect(refused.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(rig.lines).toHaveLength(2);
});

test("the access log holds nothing that a client typed", async () => {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", "Bearer secret");
  await expect(grpcJs(rig.internalPort.port, "cus_refused", { metadata })).rejects.toBeDefined();
  await rig.line(() => true);
  const text = JSON.stringify(rig.lines);
  for (const word of ["secret", "cus_refused", refusal]) expect(text).not.toContain(word);
  const fields = [
    "level",
    "time",
    "pid",
    "hostname",
    "method",
    "protocol",
    "code",
    "reason",
    "tenantId",
    "traceId",
    "durationMs",
    "msg",
  ];
  expect(Object.keys(rig.lines[0] ?? {}).sort()).toEqual(fields.sort());
});

test.for(["", "00-0-0-00", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`, `ff-${traceId}-00f067aa0ba902b7-01`])(
  "a traceparent such as %j gives a new trace id",
  async (given) => {
    const transport = createConnectTransport({ baseUrl: rig.url(), httpVersion: "1.1" });
    await customers(transport).getCustomer({ id: "cus_1" }, { headers: { traceparent: given } });
    const line = await rig.line(() => true);
    expect(line.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(line.traceId).not.toBe(traceId);
    expect(line.traceId).not.toBe("0".repeat(32));
  },
);

test("methods that do not exist share one metric label", async () => {
  for (const path of ["/a.B/C", "/d.E/F"]) {
    await fetch(rig.url(path), { method: "POST" });
    await grpcJs(rig.internalPort.port, "x", { path }).catch(() => {});
  }
  const metrics = await rig.registry.getSingleMetricAsString("rpc_server_call_duration_seconds");
  const methods = new Set([...metrics.matchAll(/_count\{rpc_method="([^"]*)"/g)].map((match) => match[1]));
  expect([...methods]).toEqual(["unknown"]);
});
