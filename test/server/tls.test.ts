import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { customers, grpcJs, name, type Rig, startRig } from "./rig.js";

const folder = mkdtempSync(join(tmpdir(), "clientele-tls-"));
const file = (base: string) => readFileSync(join(folder, base));
let rig: Rig;

beforeAll(async () => {
  makeCertificates();
  const tls = { cert: file("server.pem"), key: file("server.key") };
  rig = await startRig({ tls }, { tls, clientCa: file("ca.pem") });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test("the public port speaks Connect over HTTP/1.1 and HTTP/2, and gRPC, over TLS", async () => {
  const baseUrl = `https://localhost:${rig.publicPort.port}`;
  const nodeOptions = { ca: file("ca.pem") };
  const transports = [
    createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions }),
    createConnectTransport({ baseUrl, httpVersion: "2", nodeOptions }),
    createGrpcTransport({ baseUrl, nodeOptions }),
  ];
  for (const transport of transports) {
    expect((await customers(transport).getCustomer({ id: "cus_1" })).customer?.name).toBe(name);
  }
  const credentials = grpc.credentials.createSsl(file("ca.pem"));
  expect((await grpcJs(rig.publicPort.port, "cus_1", { credentials, channel: toLocalhost })).name).toBe(name);
});

test("a header that is too large is refused over TLS too", async () => {
  const status = await new Promise((resolve, reject) => {
    const options = { host: "localhost", port: rig.publicPort.port, ca: file("ca.pem"), agent: false as const };
    request({ ...options, headers: { "x-large": "x".repeat(20_000) } }, (res) => resolve(res.statusCode))
      .on("error", reject)
      .end();
  });
  expect(status).toBe(431);
});

test("the internal port serves a client whose certificate the authority has signed", async () => {
  const credentials = grpc.credentials.createSsl(file("ca.pem"), file("client.key"), file("client.pem"));
  expect((await grpcJs(rig.internalPort.port, "cus_1", { credentials, channel: toLocalhost })).name).toBe(name);
});

test.for(["no certificate", "a certificate of its own"])(
  "the internal port refuses a client with %s",
  async (which) => {
    const own = which !== "no certificate";
    const credentials = grpc.credentials.createSsl(
      file("ca.pem"),
      own ? file("stranger.key") : undefined,
      own ? file("stranger.pem") : undefined,
    );
    const call = grpcJs(rig.internalPort.port, "cus_1", { credentials, channel: toLocalhost, deadlineMs: 5_000 });
    await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
  },
);

const toLocalhost = { "grpc.ssl_target_name_override": "localhost" };

function makeCertificates(): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const selfSigned = (base: string) =>
    openssl(
      "req",
      "-x509",
      ...newKey,
      "-keyout",
      `${base}.key`,
      "-out",
      `${base}.pem`,
      "-days",
      "2",
      "-subj",
      `/CN=${base}`,
    );
  selfSigned("ca");
  selfSigned("stranger");
  writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  for (const base of ["server", "client"]) {
    openssl("req", ...newKey, "-keyout", `${base}.key`, "-out", `${base}.csr`, "-subj", `/CN=${base}`);
    const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"];
    openssl("x509", "-req", "-in", `${base}.csr`, "-out", `${base}.pem`, "-days", "2", ...by);
  }
}
