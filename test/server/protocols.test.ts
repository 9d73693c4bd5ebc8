import { create, type DescMethodStreaming, type DescMethodUnary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Echo } from "./echo.js";
import { customers, failureOf, grpcJs, name, type Rig, refusal, startRig, wires } from "./rig.js";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(async () => await rig[Symbol.asyncDispose]());

const ports = [
  { port: "public", of: (r: Rig) => r.publicPort.port },
  { port: "internal", of: (r: Rig) => r.internalPort.port },
];
const refused = { code: Code.FailedPrecondition, message: refusal, reason: "CUSTOMER_DISABLED" };

describe.for(wires)("$name", ({ transport }) => {
  test("answers with the message, header and trailers", async () => {
    let replayed: string | null = "";
    let trailers = new Headers();
    const answer = await customers(transport(rig)).getCustomer(
      { id: "cus_1" },
      {
        onHeader: (header) => {
          replayed = header.get("idempotency-replayed");
        },
        onTrailer: (trailer) => {
          trailers = trailer;
        },
      },
    );
    expect(answer.customer).toMatchObject({ id: "cus_1", name });
    expect(replayed).toBe("true");
    expect(trailers.get("x-trailer")).toBe("last");
    expect(trailers.get("x-data-bin")).toMatch(/^AP8B/);
  });

  test("gives an error with its message and details intact", async () => {
    expect(await failureOf(customers(transport(rig)).getCustomer({ id: "cus_refused" }))).toEqual(refused);
  });

  test("leaks nothing of an error that nobody foresaw", async () => {
    const failure = await failureOf(customers(transport(rig)).getCustomer({ id: "cus_boom" }));
    expect(failure).toEqual({ code: Code.Internal, message: "Something went wrong on our side.", reason: "INTERNAL" });
  });

  test("ends a call at its deadline", async () => {
    const failure = await failureOf(customers(transport(rig)).getCustomer({ id: "cus_slow" }, { timeoutMs: 50 }));
    expect(failure.code).toBe(Code.DeadlineExceeded);
  });
});

describe.for(ports)("grpc-js on the $port port", ({ of }) => {
  test("answers with the message, header and trailers", async () => {
    const answer = await grpcJs(of(rig), "cus_1");
    expect(answer).toMatchObject({ id: "cus_1", name });
    expect(answer.header.get("idempotency-replayed")).toEqual(["true"]);
    expect(answer.trailer.get("x-trailer")).toEqual(["last"]);
    expect(answer.trailer.get("x-data-bin")).toEqual([Buffer.from([0, 255, 1])]);
  });

  test("gives an error with its message readable and its details intact", async () => {
    await expect(grpcJs(of(rig), "cus_refused")).rejects.toEqual(refused);
  });

  test("leaks nothing of an error that nobody foresaw", async () => {
    const failure = { code: Code.Internal, message: "Something went wrong on our side.", reason: "INTERNAL" };
    await expect(grpcJs(of(rig), "cus_boom")).rejects.toEqual(failure);
  });

  test("takes a compressed request", async () => {
    expect(await grpcJs(of(rig), "c".repeat(2000), { gzip: true })).toMatchObject({ name });
  });

  test("ends a call at its deadline, and hands on the timeout and the metadata", async () => {
    const metadata = new grpc.Metadata();
    metadata.set("idempotency-key", "k1");
    metadata.set("x-own-bin", Buffer.from([1, 2, 3]));
    const late = grpcJs(of(rig), "cus_slow", { deadlineMs: 80, metadata });
    await expect(late).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    const header = rig.seen.findLast((seen) => seen.get("idempotency-key") === "k1");
    expect(header?.get("grpc-timeout")).toMatch(/^\d+m$/);
    expect(header?.get("x-own-bin")).toBe("AQID");
  });

  test("refuses a body that is no message", async () => {
    const failure = { code: Code.InvalidArgument, reason: "REQUEST_MALFORMED" };
    await expect(grpcJs(of(rig), Buffer.from([0xff, 0xff]))).rejects.toMatchObject(failure);
  });

  test("refuses an unknown method", async () => {
    const failure = { code: Code.Unimplemented, reason: "METHOD_UNKNOWN" };
    await expect(grpcJs(of(rig), "x", { path: "/no.Such/Method" })).rejects.toMatchObject(failure);
    expect(await rig.line((line) => line.method === "unknown" && line.protocol === "grpc")).toMatchObject({
      code: "UNIMPLEMENTED",
      reason: "METHOD_UNKNOWN",
    });
  });

  test("refuses a message that is too large as RESOURCE_EXHAUSTED", async () => {
    const failure = { code: Code.ResourceExhausted, reason: "MESSAGE_TOO_LARGE" };
    const large = Buffer.alloc(5 * 1024 * 1024);
    await expect(grpcJs(of(rig), large)).rejects.toMatchObject(failure);
    await expect(grpcJs(of(rig), large, { gzip: true })).rejects.toMatchObject(failure);
  });

  test("refuses metadata that is too large", async () => {
    const metadata = new grpc.Metadata();
    metadata.set("x-large", "x".repeat(20_000));
    await expect(grpcJs(of(rig), "cus_1", { metadata })).rejects.toMatchObject({ code: Code.ResourceExhausted });
  });
});

const streamed = [
  ...wires.filter((wire) => /gRPC of Connect|HTTP\/2/.test(wire.name)).map((wire) => ({ ...wire, gzip: false })),
  { name: "compressed gRPC, public port", gzip: true, transport: (r: Rig) => gzipTransport(r.publicPort.port) },
];

function gzipTransport(port: number) {
  return createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}`, compressMinBytes: 1 });
}

describe.for(streamed)("streams over $name", ({ transport }) => {
  const text = Echo.method.unary!.input;
  const cases = [
    { kind: "unary", method: "unary", sent: ["ä"], want: ["ä"] },
    { kind: "server stream", method: "serverStream", sent: ["ä"], want: ["ä", "ä"] },
    { kind: "client stream", method: "clientStream", sent: ["ä", "b"], want: ["äb"] },
    { kind: "stream both ways", method: "bidi", sent: ["ä", "b", "c"], want: ["ä", "b", "c"] },
  ];
  test.for(cases)("a $kind carries every message", async ({ method, sent, want }) => {
    const inputs = sent.map((value) => create(text, { value } as never));
    const got: unknown[] = [];
    const desc = Echo.method[method]!;
    if (desc.methodKind === "unary") {
      const { message } = await transport(rig).unary(
        desc as DescMethodUnary,
        undefined,
        undefined,
        undefined,
        inputs[0]!,
      );
      got.push(message);
    } else {
      const { message } = await transport(rig).stream(
        desc as DescMethodStreaming,
        undefined,
        undefined,
        undefined,
        iterate(inputs),
      );
      for await (const part of message) got.push(part);
    }
    expect(got).toEqual(want.map((value) => create(text, { value } as never)));
  });
});

async function* iterate<T>(items: readonly T[]) {
  yield* items;
}
