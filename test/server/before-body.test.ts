import { once } from "node:events";
import { request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { expect, test } from "vitest";
import { useClientele } from "../support/clientele.js";

const clientele = useClientele();
const path = "/clientele.v1.CustomerService/CreateCustomer";

// Each sends a header without valid credentials, a part of the body at most, and never ends it.
const stranger = { "api-key": "sk_test_unknown" };

test("a stranger is refused over HTTP/1.1 before the body has arrived", async () => {
  const headers = { ...stranger, "content-type": "application/json", "content-length": "100000" };
  const req = request(clientele.httpUrl + path, { method: "POST", headers });
  req.on("error", () => {});
  req.write("{");
  const [res] = await once(req, "response");
  expect([res.statusCode, res.headers.connection]).toEqual([401, "close"]);
  req.destroy();
});

test.for([
  { name: "Connect", type: "application/json", internal: false },
  { name: "gRPC on the public port", type: "application/grpc", internal: false },
  { name: "gRPC-Web", type: "application/grpc-web+proto", internal: false },
  { name: "gRPC on the internal port", type: "application/grpc", internal: true },
])("a stranger is refused over HTTP/2 before the body has arrived: $name", async ({ type, internal }) => {
  const client = connect(internal ? `http://${clientele.grpcAddress}` : clientele.httpUrl);
  const header = await headerOfRefusal(client, { ":path": path, "content-type": type, ...stranger });
  expect(type === "application/json" ? header[":status"] : header["grpc-status"]).toEqual(
    type === "application/json" ? 401 : "16",
  );
  client.destroy();
});

test.for([false, true])(
  "a stranger who watches is refused before the body has arrived; internal: %s",
  async (internal) => {
    const client = connect(internal ? `http://${clientele.grpcAddress}` : clientele.httpUrl);
    const watch = "/clientele.v1.EventService/WatchEvents";
    const status = await statusOf(client, { ":path": watch, "content-type": "application/grpc", ...stranger });
    expect(status).toBe("16");
    client.destroy();
  },
);

test("a page of a foreign origin is refused before the body has arrived", async () => {
  const { testKey } = await clientele.createAccount();
  const client = connect(clientele.httpUrl);
  const headers = { "content-type": "application/json", "api-key": testKey, origin: "https://elsewhere.example" };
  const header = await headerOfRefusal(client, { ":path": path, ...headers });
  expect(header[":status"]).toBe(403);
  expect(header["access-control-allow-origin"]).toBeUndefined();
  client.destroy();
});

async function headerOfRefusal(client: ClientHttp2Session, headers: Record<string, string>) {
  const stream = client.request({ ":method": "POST", ...headers });
  stream.on("error", () => {});
  stream.write("{");
  const [header] = await once(stream, "response");
  return header;
}

async function statusOf(client: ClientHttp2Session, headers: Record<string, string>): Promise<unknown> {
  const stream = client.request({ ":method": "POST", ...headers });
  stream.on("error", () => {});
  stream.write(Buffer.from([0]));
  let status: unknown;
  for (const event of ["response", "trailers"]) {
    stream.on(event, (header) => {
      status ??= header["grpc-status"];
    });
  }
  await once(stream.resume(), "end");
  return status;
}
