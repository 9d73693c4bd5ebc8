import { beforeAll, describe, expect, test } from "vitest";
import { ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import { createAddress } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { type ListPage, type ReadPage, walkBackwards, walkForwards } from "../../support/paging.js";
import { attachPaymentMethod } from "../../support/payment-methods.js";
import { createCheckout, createOrder, guest } from "../../support/purchases.js";

let time = Date.parse("2026-03-01T12:00:00Z");
const clientele = useClientele({ clock: () => new Date(time) });

interface Row {
  readonly id: string;
}

interface Answer {
  readonly nextPageToken: string;
  readonly previousPageToken: string;
}

interface List {
  readonly name: string;
  readonly create: (clients: Clients, customerId: string) => Promise<Row>;
  readonly read: (clients: Clients, customerId: string) => ReadPage;
}

function toPage(rows: readonly Row[], { nextPageToken, previousPageToken }: Answer): ListPage {
  return { ids: rows.map(({ id }) => id), nextPageToken, previousPageToken };
}

const lists: List[] = [
  {
    name: "customers",
    create: (clients) => createCustomer(clients),
    read: (clients) => async (page) => {
      const answer = await clients.customers.listCustomers(page);
      return toPage(answer.customers, answer);
    },
  },
  {
    name: "addresses",
    create: (clients, customerId) => createAddress(clients, customerId),
    read: (clients, customerId) => async (page) => {
      const answer = await clients.addresses.listAddresses({ customerId, ...page });
      return toPage(answer.addresses, answer);
    },
  },
  {
    name: "payment methods",
    create: (clients, customerId) => attachPaymentMethod(clients, customerId),
    read: (clients, customerId) => async (page) => {
      const answer = await clients.paymentMethods.listPaymentMethods({ customerId, ...page });
      return toPage(answer.paymentMethods, answer);
    },
  },
  {
    name: "checkouts",
    create: (clients) => createCheckout(clients, guest()),
    read: (clients) => async (page) => {
      const answer = await clients.checkouts.listCheckouts(page);
      return toPage(answer.checkouts, answer);
    },
  },
  {
    name: "a customer's checkouts",
    create: (clients, customerId) => createCheckout(clients, { customerId }),
    read: (clients, customerId) => async (page) => {
      const answer = await clients.checkouts.listCheckouts({ customerId, ...page });
      return toPage(answer.checkouts, answer);
    },
  },
  {
    name: "orders",
    create: (clients) => createOrder(clients),
    read: (clients) => async (page) => {
      const answer = await clients.orders.listOrders(page);
      return toPage(answer.orders, answer);
    },
  },
  {
    name: "a customer's orders",
    create: (clients, customerId) => createOrder(clients, customerId),
    read: (clients, customerId) => async (page) => {
      const answer = await clients.orders.listOrders({ customerId, ...page });
      return toPage(answer.orders, answer);
    },
  },
  {
    name: "keys",
    async create({ apiKeys }) {
      const { apiKey } = await apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET } });
      return apiKey!;
    },
    read: (clients) => async (page) => {
      const answer = await clients.apiKeys.listApiKeys(page);
      return toPage(answer.apiKeys, answer);
    },
  },
  {
    name: "webhook endpoints",
    create: createEndpoint,
    read: (clients) => async (page) => {
      const answer = await clients.webhooks.listWebhookEndpoints(page);
      return toPage(answer.webhookEndpoints, answer);
    },
  },
  {
    name: "webhook deliveries",
    async create(clients) {
      return (await clients.webhooks.pingWebhookEndpoint({ id: await endpointOf(clients) })).webhookDelivery!;
    },
    read: (clients) => async (page) => {
      const endpointId = await endpointOf(clients);
      const answer = await clients.webhooks.listWebhookDeliveries({ webhookEndpointId: endpointId, ...page });
      return toPage(answer.webhookDeliveries, answer);
    },
  },
];

// One for each tenant, whose deliveries are listed.
const endpoints = new Map<Clients, Promise<string>>();
function endpointOf(clients: Clients): Promise<string> {
  const known = endpoints.get(clients) ?? createEndpoint(clients).then(({ id }) => id);
  endpoints.set(clients, known);
  return known;
}

async function createEndpoint({ webhooks }: Clients): Promise<Row> {
  const { webhookEndpoint } = await webhooks.createWebhookEndpoint({
    webhookEndpoint: { url: "https://8.8.8.8/hooks" },
  });
  return webhookEndpoint!;
}

const rows = 12;
const [invalid, token] = ["InvalidArgument", "PAGE_TOKEN_INVALID"];

describe.for(lists)("the list of $name", ({ create, read }) => {
  let readOwn: ReadPage;
  let readForeign: ReadPage;
  let readOther: ReadPage;
  let made: { id: string; time: number }[];

  // Three rows a millisecond, so that the order within one matters.
  beforeAll(async () => {
    const { test: clients, live } = await clientele.createAccount();
    const { id } = await createCustomer(clients, { id: "paged" });
    await createCustomer(live, { id: "paged" });
    readOwn = read(clients, id);
    readForeign = read(live, id);
    readOther = lists.find((list) => list.read !== read)!.read(clients, id);
    const found = (await readOwn({ pageSize: 100 })).ids.map((found) => ({ id: found, time }));
    made = found;
    for (let row = 0; row < rows; row++) {
      if (row % 3 === 0) time += 1;
      made.push({ id: (await create(clients, id)).id, time });
    }
    made.sort((a, b) => b.time - a.time || (a.id < b.id ? 1 : -1));
  });

  test.for([1, 2, 3, 5, rows - 1, rows, rows + 1, rows + 2, 100])(
    "is whole and in order in pages of %i, forwards and backwards",
    async (pageSize) => {
      const pages = await walkForwards(readOwn, pageSize);
      expect(pages.flatMap(({ ids }) => ids)).toEqual(made.map(({ id }) => id));
      expect(pages.slice(0, -1).every(({ ids }) => ids.length === pageSize)).toBe(true);
      expect(pages[0]!.previousPageToken).toBe("");
      const back = await walkBackwards(readOwn, pageSize, pages.at(-1)!);
      expect(back.reverse().flatMap(({ ids }) => ids)).toEqual(made.map(({ id }) => id));
      expect(back.slice(1).map(({ previousPageToken }) => previousPageToken !== "")).toEqual(
        back.slice(1).map(() => true),
      );
    },
  );

  test("has 10 on a page unless asked for more, and a negative number is refused", async () => {
    expect((await readOwn({})).ids).toHaveLength(10);
    expect((await readOwn({ pageSize: 1000 })).ids).toHaveLength(made.length);
    expect(await failureOf(readOwn({ pageSize: -1 }))).toMatchObject({ code: invalid, reason: "FIELDS_INVALID" });
  });

  test("takes no token but its own", async () => {
    const { nextPageToken: genuine } = await readOwn({ pageSize: 5 });
    const flipped = `${genuine.slice(0, -2)}${genuine.at(-2) === "A" ? "B" : "A"}${genuine.at(-1)}`;
    const wanted = { code: invalid, reason: token, fields: { page_token: "does not belong to this list" } };
    const wrong = [
      flipped,
      `${genuine.startsWith("A") ? "B" : "A"}${genuine.slice(1)}`,
      genuine.slice(1),
      `${genuine}A`,
      `${genuine}=`,
      "nonsense",
      "😀",
      "A",
    ];
    for (const pageToken of wrong) {
      expect(await failureOf(readOwn({ pageSize: 5, pageToken })), pageToken).toMatchObject(wanted);
    }
    expect(await failureOf(readForeign({ pageSize: 5, pageToken: genuine }))).toMatchObject(wanted);
    expect(await failureOf(readOther({ pageSize: 5, pageToken: genuine }))).toMatchObject(wanted);
  });

  test("goes on with pages of another size", async () => {
    const { nextPageToken: pageToken } = await readOwn({ pageSize: 2 });
    expect((await readOwn({ pageSize: 4, pageToken })).ids).toEqual(made.slice(2, 6).map(({ id }) => id));
  });
});

test("the token of one customer's list is refused for another's", async () => {
  const { test: clients } = await clientele.createAccount();
  const [one, other] = [await createCustomer(clients), await createCustomer(clients)];
  for (const list of lists.filter(({ name }) => /addresses|payment methods|customer's/.test(name))) {
    for (const { id } of [one, one, other]) await list.create(clients, id);
    const { nextPageToken: pageToken } = await list.read(clients, one.id)({ pageSize: 1 });
    expect(pageToken, list.name).not.toBe("");
    expect(await failureOf(list.read(clients, other.id)({ pageToken })), list.name).toMatchObject({ reason: token });
  }
});

test("the token of a list without the deleted is refused for one with them", async () => {
  const { test: clients } = await clientele.createAccount();
  for (let row = 0; row < 2; row++) await createCustomer(clients);
  const { nextPageToken: pageToken } = await clients.customers.listCustomers({ pageSize: 1 });
  const mixed = clients.customers.listCustomers({ pageSize: 1, pageToken, showDeleted: true });
  expect(await failureOf(mixed)).toMatchObject({ code: invalid, reason: token });
});

test("the pages of customers hold each one that exists throughout once, whatever else is made and deleted", async () => {
  const { test: clients } = await clientele.createAccount();
  const kept: string[] = [];
  const passing: string[] = [];
  for (let row = 0; row < 20; row++) {
    const { id } = await createCustomer(clients);
    (row % 4 === 3 ? passing : kept).push(id);
  }
  const seen: string[] = [];
  for (let pageToken = ""; ; ) {
    const answer = await clients.customers.listCustomers({ pageSize: 3, pageToken });
    seen.push(...answer.customers.map(({ id }) => id));
    pageToken = answer.nextPageToken;
    if (pageToken === "") break;
    time += 1;
    await createCustomer(clients);
    const id = passing.pop();
    if (id !== undefined) await clients.customers.deleteCustomer({ id });
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.filter((id) => kept.includes(id)).sort()).toEqual(kept.sort());
});
