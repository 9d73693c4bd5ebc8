import { connect, constants } from "node:http2";
import { createConnection } from "node:net";
import { Writable } from "node:stream";
import { create, toBinary } from "@bufbuild/protobuf";
import { pino } from "pino";
import { beforeEach, expect, test, vi } from "vitest";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { ServerReflectionRequestSchema } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { useClientele } from "../support/clientele.js";
import { failureOf } from "../support/errors.js";
import { overFetch } from "../support/ways.js";

type Line = Readonly<Record<string, unknown>>;

let lines: Line[] = [];
const log = new Writable({
  write(chunk, _encoding, done) {
    for (const line of String(chunk).trim().split("\n")) lines.push(JSON.parse(line));
    done();
  },
});
const clientele = useClientele({ logger: pino({ level: "trace", base: null }, log) });
beforeEach(() => {
  lines = [];
});

// One message of a gRPC stream.
function envelope(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const question = envelope(
  toBinary(
    ServerReflectionRequestSchema,
    create(ServerReflectionRequestSchema, { messageRequest: { case: "listServices", value: "" } }),
  ),
);

/** Asks for the services, and goes on once the first answer arrives. */
async function reflecting(version: string) {
  const { hostname, port } = new URL(clientele.httpUrl);
  const socket = createConnection(Number(port), hostname).on("error", () => {});
  const session = connect(clientele.httpUrl, { createConnection: () => socket }).on("error", () => {});
  const method = `grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const stream = session.request({
    ":method": "POST",
    ":path": `/${method}`,
    "content-type": "application/grpc+proto",
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.write(question);
  await new Promise((resolve) => stream.once("data", resolve));
  return { socket, session, stream, method };
}

const ways: { name: string; leave: (client: Awaited<ReturnType<typeof reflecting>>) => void; codes: string[] }[] = [
  { name: "drops its connection", leave: ({ socket }) => void socket.destroy(), codes: ["CANCELLED"] },
  { name: "resets its connection", leave: ({ socket }) => void socket.resetAndDestroy(), codes: ["CANCELLED"] },
  {
    name: "drops its connection in the midst of a message",
    leave: ({ socket, stream }) => void stream.write(question.subarray(0, 3), () => socket.destroy()),
    codes: ["CANCELLED"],
  },
  // Node ends the request before it resets the stream, so the service may have answered all of it.
  {
    name: "resets its stream",
    leave: ({ stream }) => stream.close(constants.NGHTTP2_CANCEL),
    codes: ["CANCELLED", "OK"],
  },
];
const cases = ways.flatMap((way) => ["v1", "v1alpha"].map((version) => ({ ...way, version })));

test.for(cases)(
  "a client that $name during reflection by $version is logged as a cancelled call, and as no failure",
  async ({ version, leave, codes }) => {
    const client = await reflecting(version);
    leave(client);
    const line = await vi.waitFor(() => lines.find(({ method }) => method === client.method) ?? expect.fail("no line"));
    expect(line.level).toBe(20);
    expect(line.code).toBeOneOf(codes);
    client.session.destroy();
    // A later call ends after whatever the first one leaves behind.
    const { liveKey } = await clientele.createAccount();
    await failureOf(overFetch(clientele.httpUrl, liveKey)(CustomerService.method.getCustomer, { id: "cus_absent" }));
    await vi.waitFor(() => expect(lines.some(({ code }) => code === "NOT_FOUND")).toBe(true));
    expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  },
);
