import { createServer, type IncomingMessage } from "node:http";
import { createFloorStore, derived, type FloorRow, type FloorSettings } from "./floor-store.js";

// The floor of JSON over HTTP/1.1: a process of its own with what nobody can leave out.
const settings: FloorSettings = JSON.parse(process.argv[2] ?? "");
const store = createFloorStore(settings);
const prefix = "/clientele.v1.CustomerService/";

const server = createServer((req, res) => {
  answer(req).then(
    (body) => {
      const text = JSON.stringify(body);
      res.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) }).end(text);
    },
    (error) => res.writeHead(500).end(String(error)),
  );
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) process.send?.({ port: address.port });
});

async function answer(req: IncomingMessage): Promise<object> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  const request = JSON.parse(Buffer.concat(chunks).toString());
  switch (req.url?.slice(prefix.length)) {
    case "GetCustomer":
      return { customer: customerOf(await store.find(request.id)) };
    case "ListCustomers": {
      const rows = await store.list(request.pageSize + 1);
      return { customers: rows.slice(0, request.pageSize).map(customerOf) };
    }
    case "CreateCustomer":
      return { customer: customerOf(await store.insert(request.customer)) };
    case "UpdateCustomer":
      return { customer: customerOf(await store.update(request.customer.id, request.customer.name)) };
    default:
      throw new Error("no such call");
  }
}

function customerOf(row: FloorRow | undefined): object {
  if (row === undefined) throw new Error("no such customer");
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    firstName: row.first_name,
    lastName: row.last_name,
    displayName: row.email,
    phone: row.phone,
    country: row.country,
    countryName: derived.countryName,
    locale: row.locale,
    type: "CUSTOMER_TYPE_INDIVIDUAL",
    enabled: row.enabled,
    photoUrl: derived.photoUrl,
    metadata: row.metadata,
    state: "CUSTOMER_STATE_ACTIVE",
    createTime: row.create_time.toISOString(),
    updateTime: row.update_time.toISOString(),
    etag: row.version,
  };
}
