import { describe, expect, test } from "vitest";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { services } from "../../src/routes.js";
import { type Clientele, useClientele } from "../support/clientele.js";
import { methods } from "../support/scenario.js";
import { pathOf, runBuf } from "../support/ways.js";

const clientele = useClientele();

const ports: { name: string; url: (of: Clientele) => string; protocols: string[] }[] = [
  { name: "the public port", url: ({ httpUrl }) => httpUrl, protocols: ["connect", "grpc", "grpcweb"] },
  { name: "the internal port", url: ({ grpcAddress }) => `http://${grpcAddress}`, protocols: ["grpc"] },
];

describe.for(ports)("buf curl without a schema, on $name", ({ url, protocols }) => {
  const curl = async (...args: string[]) => (await runBuf(["curl", "--http2-prior-knowledge", ...args])).stdout;
  // Reflection is spoken in the protocol of the call.
  const first = ["--protocol", protocols[0]!];

  test("lists the services", async () => {
    const listed = (await curl(...first, "--list-services", url(clientele))).trim().split("\n");
    expect(listed).toEqual([...services.map(({ typeName }) => typeName), "grpc.health.v1.Health"].sort());
  });

  test("lists the methods", async () => {
    const listed = (await curl(...first, "--list-methods", url(clientele))).trim().split("\n");
    expect(listed).toEqual(expect.arrayContaining(methods.map((method) => pathOf(method).slice(1))));
  });

  test.for(["grpc-v1", "grpc-v1alpha"])("knows the fields of requests by %s", async (version) => {
    for (const {
      typeName,
      methods: [method],
    } of services) {
      const target = `${url(clientele)}/${typeName}/${method!.name}`;
      const args = [...first, "--reflect-protocol", version, "-d", '{"noSuchField":1}', target];
      // By the description alone: buf does not even send it.
      await expect(curl(...args), target).rejects.toThrow(/unknown field "noSuchField"/);
    }
  });

  test.for(protocols)("calls by name over %s, with and without a key", async (protocol) => {
    const { testKey, accountId } = await clientele.createAccount();
    const target = `${url(clientele)}/clientele.v1.AccountService/GetAccount`;
    const answer = JSON.parse(await curl("--protocol", protocol, "-H", `api-key: ${testKey}`, target));
    expect(answer).toMatchObject({ account: { id: accountId } });
    const refused = await curl("--protocol", protocol, target).catch((error: { stderr: string }) =>
      JSON.parse(error.stderr),
    );
    expect(refused).toMatchObject({
      code: "unauthenticated",
      message: "Authentication credentials were not provided.",
    });
  });

  test.for(protocols)("shows the health over %s", async (protocol) => {
    const target = `${url(clientele)}/grpc.health.v1.Health/Check`;
    const data = JSON.stringify({ service: CustomerService.typeName });
    expect(JSON.parse(await curl("--protocol", protocol, "-d", data, target))).toEqual({ status: "SERVING" });
  });

  test("answers an unknown method as absent", async () => {
    const target = `${url(clientele)}/${CustomerService.typeName}/DropCustomers`;
    await expect(curl(...first, target)).rejects.toThrow(/DropCustomers/);
  });
});
