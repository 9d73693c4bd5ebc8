import { CustomerService } from "../gen/clientele/v1/customers_pb.js";
import { startDatabase } from "./database.js";
import { type Caller, openCaller, quantile, timesOf } from "./latency.js";
import { personId, seedPeople } from "./people.js";
import { startService } from "./processes.js";

const { getCustomer, createCustomer, updateCustomer, listCustomers, searchCustomers } = CustomerService.method;

/** A call, by the number of its repetition, in a tenant of so many customers. */
type Kind = (caller: Caller, rows: number, n: number) => Promise<unknown>;

// Far from the last one, so that no page of the database is met twice in a row. A prime reaches all of them.
const placeOf = (rows: number, n: number) => 1 + ((n * 7919 * 101) % rows);
const list = (request: object): Kind => {
  return (caller) => caller.call(listCustomers, request);
};
const search = (...queries: string[]): Kind => {
  return (caller, _, n) => caller.call(searchCustomers, { query: queries[n % queries.length]! });
};

const kinds: Readonly<Record<string, Kind>> = {
  get: (caller, rows, n) => caller.call(getCustomer, { id: personId(placeOf(rows, n)) }),
  create: (caller, rows, n) =>
    caller.call(createCustomer, { customer: { email: `new-${rows}-${n}@example.com`, name: "Ada Lovelace" } }),
  update: (caller, rows, n) =>
    caller.call(updateCustomer, { customer: { id: personId(placeOf(rows, n)), name: `Ada Lovelace ${n}` } }),
  "list, first page": list({}),
  "list, by the token of page 50": async (caller, rows) => {
    const pageToken = await tokenOf(caller, rows);
    return caller.call(listCustomers, { pageSize: 100, pageToken });
  },
  "list, page number 900": list({ page: 900 }),
  "list, page number 10,000": list({ page: 10_000 }),
  "list, with the total size": list({ includeTotalSize: true }),
  "filter by e-mail address": list({ filter: "eq(email,nobody@example.com)" }),
  "filter by a rare value of metadata": (caller, rows, n) =>
    caller.call(listCustomers, { filter: `eq(metadata.number,N${placeOf(rows, n)})` }),
  "filter by a frequent value of metadata": list({ filter: "eq(metadata.tier,gold)" }),
  "filter by a date": list({ filter: "lt(create_time,2020-01-01T00:00:00Z)" }),
  "search, 2 letters, frequent": search("ar", "on", "ma", "er", "le"),
  "search, 2 letters, rare": search("qz", "zz", "xq", "vb", "wx"),
  "search, 3 letters, frequent": search("mar", "son", "gar", "ill"),
  "search, 3 letters, rare": search("qqq", "zyx", "xxy"),
  "search, 8 letters, frequent": search("patricia", "elizabet", "martinez"),
  "search, 8 letters, rare": search("zyxwvuts", "qqqqqqqq", "nobody h"),
};

const defaultSizes = [10_000, 1_000_000];
const defaultRows = 10_000;
const repetitions = 200;
/** Of a kind that turns out slow: no fewer than this, and no longer. */
const fewest = 20;
const mostMs = 20_000;

/** Measures how calls slow down as one tenant grows; one caller, one call at a time. Each size is filled anew. */
export async function benchGrowth({ rows }: { readonly rows: number }): Promise<void> {
  const sizes = rows === defaultRows ? defaultSizes : [defaultRows, rows];
  const columns: Record<string, readonly number[]>[] = [];
  for (const size of sizes) columns.push(await measure(size));
  const titles = sizes.map((size) => size.toLocaleString("en").padStart(22)).join("");
  console.log(`\nms a call, one caller${" ".repeat(20)}${titles}${"p50 last / first".padStart(20)}`);
  console.log(" ".repeat(41) + sizes.map(() => "p50".padStart(11) + "p99".padStart(11)).join(""));
  for (const kind of Object.keys(kinds)) {
    const p50s = columns.map((column) => quantile(column[kind]!, 0.5));
    const p99s = columns.map((column) => quantile(column[kind]!, 0.99));
    const cells = p50s.map((p50, at) => p50.toFixed(2).padStart(11) + p99s[at]!.toFixed(2).padStart(11));
    console.log(kind.padEnd(41) + cells.join("") + (p50s.at(-1)! / p50s[0]!).toFixed(2).padStart(20));
  }
}

async function measure(rows: number): Promise<Record<string, readonly number[]>> {
  const { url, folder, seeded, stop } = await startDatabase(20);
  try {
    await seedPeople(url, seeded.tenantId, rows);
    const service = await startService({ url, poolSize: 10, folder, cpuProf: undefined });
    const caller = openCaller(service.grpcPort, seeded.key);
    const measured: Record<string, readonly number[]> = {};
    for (const [name, kind] of Object.entries(kinds)) {
      const [first = 0] = await timesOf(1, () => kind(caller, rows, repetitions));
      const count = Math.max(fewest, Math.min(repetitions, Math.floor(mostMs / first)));
      measured[name] = await timesOf(count, (n) => kind(caller, rows, n));
    }
    caller.close();
    await service.stop();
    return measured;
  } finally {
    await stop();
  }
}

const tokens = new Map<number, string>();

// The token of the 50th page of 100, half-way through the smallest tenant.
async function tokenOf(caller: Caller, rows: number): Promise<string> {
  const known = tokens.get(rows);
  if (known !== undefined) return known;
  const { nextPageToken } = await caller.call(listCustomers, { page: 50, pageSize: 100 });
  tokens.set(rows, nextPageToken);
  return nextPageToken;
}
