import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CustomerService } from "../gen/clientele/v1/customers_pb.js";
import { services } from "../src/routes.js";
import { type Clientele, startClientele } from "./support/clientele.js";
import { methods, nameOf } from "./support/scenario.js";
import { pathOf, runBuf } from "./support/ways.js";

let clientele: Clientele;
beforeAll(async () => {
  clientele = await startClientele();
});
afterAll(() => clientele.stop());

const ports: { name: string; url: (of: Clientele) => string; protocols: string[] }[] = [
  { name: "the public port", url: ({ httpUrl }) => httpUrl, protocols: ["connect", "grpc", "grpcweb"] },
  { name: "the internal port", url: ({ grpcAddress }) => `http://${grpcAddress}`, protocols: ["grpc"] },
];

describe.for(ports)("buf curl without a schema, on $name", ({ url, protocols }) => {
  // Reflection itself is spoken in gRPC by every one of them.
  const curl = async (...args: string[]) => (await runBuf(["curl", "--http2-prior-knowledge", ...args])).stdout;

  test("lists the services", async () => {
    const listed = (await curl("--list-services", url(clientele))).trim().split("\n");
    expect(listed).toEqual([...services.map(({ typeName }) => typeName), "grpc.health.v1.Health"].sort());
  });

  test("lists the methods", async () => {
    const listed = (await curl("--list-methods", url(clientele))).trim().split("\n");
    expect(listed).toEqual(expect.arrayContaining(methods.map((method) => pathOf(method).slice(1))));
  });

  test.for(services.map((service) => ({ name: service.typeName, service })))(
    "describes each method of $name, of its messages the names at least",
    async ({ service }) => {
      for (const version of ["grpc-v1", "grpc-v1alpha"]) {
        const args = ["--reflect-protocol", version, "--list-methods", url(clientele)];
        expect(await curl(...args)).toContain(`${service.typeName}/`);
      }
    },
  );

  test.for(protocols)("calls by name over %s, with and without a key", async (protocol) => {
    const { testKey, accountId } = await clientele.createAccount();
    const target = `${url(clientele)}/clientele.v1.AccountService/GetAccount`;
    const answer = JSON.parse(await curl("--protocol", protocol, "-H", `api-key: ${testKey}`, target));
    expect(answer).toMatchObject({ account: { id: accountId } });
    const refused = await curl("--protocol", protocol, target).catch((error: { stderr: string }) => JSON.parse(error.stderr));
    expect(refused).toMatchObject({ code: "unauthenticated", message: "Authentication credentials were not provided." });
  });

  test.for(protocols)("shows the health over %s", async (protocol) => {
    const target = `${url(clientele)}/grpc.health.v1.Health/Check`;
    const data = JSON.stringify({ service: CustomerService.typeName });
    expect(JSON.parse(await curl("--protocol", protocol, "-d", data, target))).toEqual({ status: "SERVING" });
  });

  test("says of a method that does not exist that it does not", async () => {
    const target = `${url(clientele)}/${CustomerService.typeName}/DropCustomers`;
    await expect(curl(target)).rejects.toThrow(/DropCustomers/);
    expect(methods.map(nameOf)).not.toContain("CustomerService.DropCustomers");
  });
});
