import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.js";
import { useClientele } from "../support/clientele.js";
import { newEmail } from "../support/customers.js";
import { failureOf } from "../support/errors.js";
import { administer } from "../support/postgres.js";

const clientele = useClientele();
// Longer than the three seconds after which a lost database counts.
const patient = { timeout: 20_000, interval: 100 };

const outages = [
  {
    name: "is read-only",
    begin: (database: string) => `alter database ${database} set default_transaction_read_only = on`,
    end: (database: string) => `alter database ${database} reset default_transaction_read_only`,
  },
  {
    name: "takes no connections",
    begin: (database: string) => `alter database ${database} allow_connections false`,
    end: (database: string) => `alter database ${database} allow_connections true`,
  },
];

let repair: string | undefined;
afterEach(async () => {
  if (repair !== undefined) await administer(repair);
  repair = undefined;
});

async function readyz(): Promise<number> {
  return (await fetch(`${clientele.httpUrl}/readyz`)).status;
}

async function health(): Promise<Status> {
  const transport = createGrpcTransport({ baseUrl: `http://${clientele.grpcAddress}` });
  return (await createClient(Health, transport).check({})).status;
}

test.for(outages)(
  "a service whose database $name is not ready, answers UNAVAILABLE, and heals by itself",
  async (outage) => {
    const account = await clientele.createAccount();
    const create = () => account.test.customers.createCustomer({ customer: { email: newEmail() } });
    await create();
    await expect.poll(readyz, patient).toBe(200);
    const database = new URL(clientele.databaseUrl).pathname.slice(1);
    repair = outage.end(database);
    await administer(outage.begin(database));
    await administer(`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${database}'`);
    await expect.poll(readyz, patient).toBe(503);
    expect(await health()).toBe(Status.NOT_SERVING);
    expect((await fetch(`${clientele.httpUrl}/healthz`)).status).toBe(200);
    expect(await failureOf(create())).toMatchObject({ code: "Unavailable", reason: "UNAVAILABLE", retryable: true });
    await administer(repair);
    await expect.poll(readyz, patient).toBe(200);
    expect(await health()).toBe(Status.SERVING);
    await expect
      .poll(
        () =>
          create().then(
            () => "created",
            () => "refused",
          ),
        patient,
      )
      .toBe("created");
  },
);
