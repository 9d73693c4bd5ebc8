import { once } from "node:events";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { Code } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { customers, failureOf, getCustomerPath, grpcJs, type Rig, startRig, wires } from "./rig.js";

const shop = "https://shop.example";
let rig: Rig;
beforeAll(async () => {
  rig = await startRig({ allowedOrigins: [shop] });
});
afterAll(async () => await rig[Symbol.asyncDispose]());

describe("pages beside the calls", () => {
  test("/healthz answers while the process lives", async () => {
    const answer = await fetch(rig.url("/healthz"));
    expect([answer.status, await answer.text()]).toEqual([200, "ok\n"]);
  });

  test("/readyz tells whether the process wants calls", async () => {
    expect((await fetch(rig.url("/readyz"))).status).toBe(200);
    rig.readiness.set(false);
    expect((await fetch(rig.url("/readyz"))).status).toBe(503);
    rig.readiness.set(true);
  });

  test("/metrics is not on the public port, since it asks for no credential", async () => {
    expect((await fetch(rig.url("/metrics"))).status).toBe(404);
    expect((await fetch(new URL("/healthz", rig.metricsUrl))).status).toBe(404);
  });

  test("/metrics shows calls by method and status, and the Node process", async () => {
    await customers(createConnectTransport({ baseUrl: rig.url(), httpVersion: "1.1" })).getCustomer({ id: "cus_1" });
    await rig.line((line) => line.protocol === "connect");
    const metrics = await (await fetch(rig.metricsUrl)).text();
    expect(metrics).toContain(
      'rpc_server_call_duration_seconds_count{rpc_method="clientele.v1.CustomerService/GetCustomer",rpc_system="connect",rpc_response_status_code="OK"}',
    );
    expect(metrics).toContain("process_cpu_seconds_total");
    expect(metrics).toContain('rpc_server_active_calls{rpc_system="connect"} 0');
  });

  test.for(["/", "/nothing?secret=1", "/clientele.v1.CustomerService"])("%s is not found, in JSON", async (path) => {
    const answer = await fetch(rig.url(path));
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ code: "not_found", message: "There is nothing at this address." });
  });
});

describe("browsers", () => {
  const ask = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,authorization",
  };

  test("may call from an allowed origin", async () => {
    const preflight = await fetch(rig.url(getCustomerPath), { method: "OPTIONS", headers: { origin: shop, ...ask } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe(shop);
    expect(preflight.headers.get("access-control-allow-methods")).toBe("POST, GET");
    const allowed = preflight.headers.get("access-control-allow-headers")?.toLowerCase().split(", ");
    const own = [
      "authorization",
      "api-key",
      "x-api-key",
      "x-customer-token",
      "idempotency-key",
      "traceparent",
      "tracestate",
    ];
    expect(allowed).toEqual(expect.arrayContaining(["content-type", "connect-protocol-version", "x-grpc-web", ...own]));
    const answer = await post("{}", { origin: shop });
    expect(answer.headers.get("access-control-allow-origin")).toBe(shop);
    const exposed = answer.headers.get("access-control-expose-headers")?.toLowerCase().split(", ");
    const outcome = ["grpc-status", "grpc-message", "grpc-status-details-bin", "idempotency-replayed"];
    expect(exposed).toEqual(expect.arrayContaining(outcome));
  });

  test.for(["https://other.example", "null"])("of any origin may ask, and read what fails: %s", async (origin) => {
    const preflight = await fetch(rig.url(getCustomerPath), { method: "OPTIONS", headers: { origin, ...ask } });
    expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
    const answer = await post("{nonsense", { origin });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    expect(answer.headers.get("vary")).toBe("Origin");
  });

  test.for([
    { origin: shop, readable: shop },
    { origin: "https://shop.example.evil", readable: null },
    { origin: "https://other.example", readable: null },
    { origin: "null", readable: null },
  ])("of $origin read what is no call as the deployment says", async ({ origin, readable }) => {
    const answer = await fetch(rig.url("/readyz"), { headers: { origin } });
    expect(answer.headers.get("access-control-allow-origin")).toBe(readable);
    expect(answer.headers.get("vary")).toBe("Origin");
  });
});

describe("requests that are no proper calls", () => {
  test("a malformed body is INVALID_ARGUMENT, with a reason and a line in the access log", async () => {
    const answer = await post("{nonsense");
    expect(answer.status).toBe(400);
    const error = (await answer.json()) as { code: string; details: { debug: { reason: string } }[] };
    expect(error.code).toBe("invalid_argument");
    expect(error.details).toHaveLength(1);
    const line = await rig.line(({ code }) => code === "INVALID_ARGUMENT");
    expect(line).toMatchObject({ method: getCustomerPath.slice(1), protocol: "connect", reason: "REQUEST_MALFORMED" });
  });

  test("an unsupported content type is INVALID_ARGUMENT", async () => {
    const answer = await post("<x/>", { "content-type": "text/xml" });
    expect([answer.status, await answer.json()]).toMatchObject([415, { code: "invalid_argument" }]);
  });

  test("a bidirectional stream over HTTP/1.1 is refused", async () => {
    const answer = await fetch(rig.url("/test.Echo/Bidi"), {
      method: "POST",
      headers: { "content-type": "application/connect+proto" },
    });
    expect(answer.status).toBe(505);
  });

  test("an unknown method is UNIMPLEMENTED, and not named in the access log", async () => {
    const answer = await fetch(rig.url("/clientele.v1.CustomerService/Secret"), { method: "POST" });
    expect([answer.status, await answer.json()]).toMatchObject([404, { code: "unimplemented" }]);
    const line = await rig.line(({ code, protocol }) => code === "UNIMPLEMENTED" && protocol === "connect");
    expect(line).toMatchObject({ method: "unknown", reason: "METHOD_UNKNOWN" });
  });

  test.for(wires)("a message that is too large is RESOURCE_EXHAUSTED over $name", async ({ name, transport }) => {
    const id = "x".repeat(5 * 1024 * 1024);
    const failure = await failureOf(customers(transport(rig)).getCustomer({ id }));
    // A GET of that size is no message but a header.
    const want = /GET/.test(name)
      ? { code: expect.anything() }
      : { code: Code.ResourceExhausted, reason: "MESSAGE_TOO_LARGE" };
    expect(failure).toMatchObject(want);
  });

  test("a request without a usable host is refused", async () => {
    const status = await raw(`POST ${getCustomerPath} HTTP/1.1\r\nHost: [\r\nContent-Length: 0\r\n\r\n`);
    expect(status).toContain(" 400 ");
  });

  test("a header that is too large is refused over HTTP/1.1", async () => {
    expect((await fetch(rig.url("/healthz"), { headers: { "x-large": "x".repeat(20_000) } })).status).toBe(431);
  });

  test("a header of more than 64 KiB in all ends its stream, not the session", async () => {
    const client = connectHttp2(rig.url());
    await once(client, "remoteSettings");
    await new Promise<void>((resolve) => client.ping(() => resolve()));
    const large = Object.fromEntries([1, 2, 3].map((n) => [`x-large-${n}`, "x".repeat(30_000)]));
    const stream = client.request({ ":path": "/healthz", ...large });
    await expect(once(stream, "response")).rejects.toThrow();
    const next = client.request({ ":path": "/healthz" });
    expect((await once(next, "response"))[0][":status"]).toBe(200);
    client.destroy();
  });
});

describe("slow clients", () => {
  const limits = { prefaceMs: 100, headersMs: 150, bodyMs: 150 };
  let slow: Rig;
  beforeAll(async () => {
    slow = await startRig({ limits }, { limits });
  });
  afterAll(async () => await slow[Symbol.asyncDispose]());

  test.for(["", "PRI * HT"])("lose the connection when all they send is %j", async (bytes) => {
    const socket = await open(slow);
    if (bytes !== "") socket.write(bytes);
    await once(socket, "close");
  });

  test("lose the connection when they do not finish the header", async () => {
    const socket = await open(slow);
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n");
    await once(socket.resume(), "close");
  });

  test("get DEADLINE_EXCEEDED when their body stalls, over HTTP/1.1", async () => {
    const headers = { "content-type": "application/json", "content-length": "100" };
    const req = request(slow.url(getCustomerPath), { method: "POST", headers });
    req.write("{");
    req.on("error", () => {});
    const [res] = await once(req, "response");
    expect(res.statusCode).toBe(504);
    await once(res.resume(), "end");
    await slow.line(({ code, reason }) => code === "DEADLINE_EXCEEDED" && reason === "DEADLINE_EXCEEDED");
  });

  test.for(["public", "internal"])(
    "get DEADLINE_EXCEEDED when their body stalls, over gRPC on the %s port",
    async (which) => {
      const { port } = which === "public" ? slow.publicPort : slow.internalPort;
      const client = connectHttp2(`http://127.0.0.1:${port}`);
      const stream = client.request({
        ":method": "POST",
        ":path": getCustomerPath,
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.on("error", () => {});
      stream.write(Buffer.from([0, 0, 0, 0, 9, 1]));
      let status: unknown;
      stream.on("response", (headers) => {
        status ??= headers["grpc-status"];
      });
      stream.on("trailers", (headers) => {
        status ??= headers["grpc-status"];
      });
      await once(stream.resume(), "close");
      expect(String(status)).toBe(String(Code.DeadlineExceeded));
      client.destroy();
    },
  );
});

describe("cancelled calls", () => {
  const transports = [
    { name: "Connect", of: (r: Rig) => createConnectTransport({ baseUrl: r.url(), httpVersion: "1.1" }) },
    { name: "gRPC-Web", of: (r: Rig) => createGrpcWebTransport({ baseUrl: r.url(), httpVersion: "2" }) },
    { name: "gRPC, public port", of: (r: Rig) => createGrpcTransport({ baseUrl: r.url() }) },
    {
      name: "gRPC, internal port",
      of: (r: Rig) => createGrpcTransport({ baseUrl: `http://127.0.0.1:${r.internalPort.port}` }),
    },
  ];
  test.for(transports)("abort the work over $name, and are logged so", async ({ of }) => {
    await using own = await startRig();
    const stop = new AbortController();
    const call = customers(of(own)).getCustomer({ id: "cus_slow" }, { signal: stop.signal });
    const failed = failureOf(call);
    await own.started("cus_slow");
    stop.abort();
    await own.aborted;
    expect((await failed).code).toBe(Code.Canceled);
    expect((await own.line(() => true)).code).toBe("CANCELLED");
  });

  test("abort the work over grpc-js", async () => {
    await using own = await startRig();
    const call = grpcJs(own.internalPort.port, "cus_slow", {
      started: (started) => void own.started("cus_slow").then(() => started.cancel()),
    });
    await expect(call).rejects.toMatchObject({ code: Code.Canceled });
    await own.aborted;
  });
});

async function post(body: string, headers: Record<string, string> = {}) {
  const all = { "content-type": "application/json", ...headers };
  return await fetch(rig.url(getCustomerPath), { method: "POST", headers: all, body });
}

async function open(on: Rig): Promise<Socket> {
  const socket = connect(on.publicPort.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

async function raw(text: string): Promise<string> {
  const socket = await open(rig);
  socket.write(text);
  const [answer] = await once(socket, "data");
  socket.destroy();
  return String(answer);
}
