import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { name, type Rig, startRig } from "./rig.js";

const run = promisify(execFile);
let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(async () => await rig[Symbol.asyncDispose]());

const ports = [
  { port: "public", of: (r: Rig) => r.publicPort.port, protocols: ["connect", "grpc", "grpcweb"] },
  { port: "internal", of: (r: Rig) => r.internalPort.port, protocols: ["grpc"] },
];
const cases = ports.flatMap((port) =>
  port.protocols.flatMap((protocol) => ["grpc-v1", "grpc-v1alpha"].map((version) => ({ ...port, protocol, version }))),
);

test.for(cases)("buf curl calls by $protocol on the $port port without a schema, by $version", async (it) => {
  const url = `http://127.0.0.1:${it.of(rig)}/clientele.v1.CustomerService/GetCustomer`;
  const flags = ["--protocol", it.protocol, "--http2-prior-knowledge", "--reflect-protocol", it.version];
  const { stdout } = await run("node_modules/.bin/buf", ["curl", ...flags, "-d", '{"id":"cus_1"}', url]);
  expect(JSON.parse(stdout)).toMatchObject({ customer: { id: "cus_1", name } });
});

describe.for(ports)("reflection on the $port port", ({ of }) => {
  const ask = async (messageRequest: object) => {
    const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${of(rig)}` });
    const requests = (async function* () {
      yield { messageRequest } as never;
    })();
    for await (const { messageResponse } of createClient(ServerReflection, transport).serverReflectionInfo(requests)) {
      return messageResponse;
    }
    throw new Error("No answer.");
  };

  test("lists the services", async () => {
    const { value } = await ask({ case: "listServices", value: "" });
    expect(value).toMatchObject({
      service: expect.arrayContaining([expect.objectContaining({ name: "clientele.v1.CustomerService" })]),
    });
  });

  const found = [
    { case: "fileByFilename", value: "clientele/v1/customers.proto" },
    { case: "fileByFilename", value: "buf/validate/validate.proto" },
    { case: "fileContainingSymbol", value: "clientele.v1.CustomerService" },
    { case: "fileContainingSymbol", value: "clientele.v1.CustomerService.GetCustomer" },
    { case: "fileContainingSymbol", value: "clientele.v1.Customer.email" },
    {
      case: "fileContainingExtension",
      value: { containingType: "google.protobuf.FieldOptions", extensionNumber: 1159 },
    },
  ];
  test.for(found)("finds the file for $case $value", async (request) => {
    expect((await ask(request)).case).toBe("fileDescriptorResponse");
  });

  test("lists extension numbers", async () => {
    const { value } = await ask({ case: "allExtensionNumbersOfType", value: "google.protobuf.FieldOptions" });
    expect(value).toMatchObject({ extensionNumber: expect.arrayContaining([1159]) });
  });

  const absent = [
    { case: "fileByFilename", value: "no.proto" },
    { case: "fileContainingSymbol", value: "no.Such" },
    { case: "fileContainingExtension", value: { containingType: "no.Such", extensionNumber: 1 } },
    { case: "allExtensionNumbersOfType", value: "no.Such" },
  ];
  test.for(absent)("answers an error inside the stream for an unknown $case", async (request) => {
    expect(await ask(request)).toMatchObject({ case: "errorResponse", value: { errorCode: 5 } });
  });
});
