import { CustomerService } from "../gen/clientele/v1/customers_pb.js";
import { startDatabase } from "./database.js";
import { openCaller, quantile, timesOf } from "./latency.js";
import { seedPeople } from "./people.js";
import { startService } from "./processes.js";

// Queries by their cost to the database.
const kinds: Readonly<Record<string, readonly string[]>> = {
  "begins many names": ["mar", "jo", "eliz", "shad", "gar"],
  "begins few names": ["quentin q", "marco.0a", "zoe.ff", "ivan.77", "olga.123"],
  "inside many names": ["son", "ez", "an", "ill", "a"],
  "inside few e-mail addresses": ["ff00", "99999", "0a0a0", "c0ffe", "abcde"],
  "two letters, many": ["ar", "on", "ma", "er", "le"],
  "two letters, few or none": ["qz", "zz", "xq", "vb", "wx"],
  "one letter": ["a", "z", "x", "q", "7"],
  "accents and capitals": ["SÁNCH", "muñoz", "Sánchez", "MUNOZ", "núñ"],
  nobody: ["nobody here", "qqqqq", "zyxwv", "no-one@", "xxxx yyyy"],
};
const sizes = [10_000, 1_000_000];
const defaultRows = 10_000;
const rounds = 40;

/** Measures a search for each kind of text, at two sizes of a tenant; one caller, one call at a time. */
export async function benchSearch({ rows }: { readonly rows: number }): Promise<void> {
  for (const size of rows === defaultRows ? sizes : [rows]) await measure(size);
}

async function measure(rows: number): Promise<void> {
  const { url, folder, seeded, stop } = await startDatabase(20);
  try {
    await seedPeople(url, seeded.tenantId, rows);
    const service = await startService({ url, poolSize: 10, folder, cpuProf: undefined });
    const caller = openCaller(service.grpcPort, seeded.key);
    const search = (query: string) => caller.call(CustomerService.method.searchCustomers, { query });
    console.log(`\nSearchCustomers among ${rows.toLocaleString("en")} customers, ms a call (first page of 10)\n`);
    console.log(`${"kind".padEnd(30)}${"p50".padStart(10)}${"p99".padStart(10)}${"max".padStart(10)}`);
    for (const [kind, queries] of Object.entries(kinds)) {
      for (const query of queries) await search(query);
      const times = await timesOf(rounds * queries.length, (n) => search(queries[n % queries.length]!));
      const cells = [0.5, 0.99, 1].map((part) => quantile(times, part).toFixed(2).padStart(10));
      console.log(kind.padEnd(30) + cells.join(""));
    }
    caller.close();
    await service.stop();
  } finally {
    await stop();
  }
}
