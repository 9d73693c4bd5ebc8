import { createHmac } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { WebhookDelivery } from "../../gen/clientele/v1/webhooks_pb.js";
import type { Clientele, Clients } from "./clientele.js";

/** One request that a receiver got. */
export interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A merchant's server that events are posted to. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly Received[];
  /** Decides what it answers from now on: a status, or whatever is done with the response. */
  answer(by: number | ((res: ServerResponse) => void)): void;
  /** Resolves when it has got so many requests. */
  got(count: number): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const arrivals = new EventEmitter();
  let by: number | ((res: ServerResponse) => void) = 200;
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    received.push({ headers: req.headers, body: Buffer.concat(chunks).toString() });
    if (typeof by === "number") res.writeHead(by).end();
    else by(res);
    arrivals.emit("arrival");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`,
    received,
    answer(next) {
      by = next;
    },
    async got(count) {
      while (received.length < count) await once(arrivals, "arrival");
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** A merchant with one endpoint that works. */
export interface Shop extends AsyncDisposable {
  readonly clients: Clients;
  readonly receiver: Receiver;
  readonly endpointId: string;
  readonly secret: string;
}

/** Opens an account with an endpoint for these types of events; for all if there are none. */
export async function openWebhookShop(clientele: Clientele, eventTypes: string[] = []): Promise<Shop> {
  const { test: clients } = await clientele.createAccount();
  const receiver = await startReceiver();
  const created = await clients.webhooks.createWebhookEndpoint({ webhookEndpoint: { url: receiver.url, eventTypes } });
  const dispose = async () => {
    await clients.webhooks.deleteWebhookEndpoint({ id: created.webhookEndpoint!.id });
    await receiver[Symbol.asyncDispose]();
  };
  const { webhookEndpoint, secret } = created;
  return { clients, receiver, endpointId: webhookEndpoint!.id, secret, [Symbol.asyncDispose]: dispose };
}

/** Whether a request is signed with a secret, as a merchant checks it. */
export function isSigned({ headers, body }: Received, secret: string): boolean {
  const [time, ...signatures] = String(headers["clientele-signature"]).split(",");
  const expected = createHmac("sha256", secret)
    .update(`${time!.slice(2)}.${body}`)
    .digest("hex");
  return signatures.includes(`v1=${expected}`);
}

/** The types of the events that were received. */
export function typesOf(received: readonly Received[]): string[] {
  return received.map(({ body }) => JSON.parse(body).type);
}

/** The deliveries to the endpoint of a shop, newest first. */
export async function deliveriesOf({ clients, endpointId }: Shop): Promise<WebhookDelivery[]> {
  return (await clients.webhooks.listWebhookDeliveries({ webhookEndpointId: endpointId, pageSize: 100 }))
    .webhookDeliveries;
}

/** Makes a customer, which is an event, and says its id. */
export async function newCustomer(clients: Clients, email = "ada@example.com"): Promise<string> {
  return (await clients.customers.createCustomer({ customer: { email } })).customer!.id;
}
