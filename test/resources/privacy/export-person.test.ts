import { toJson } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type ExportCustomerDataResponse,
  ExportCustomerDataResponseSchema,
  PrivacyService,
} from "../../../gen/clientele/v1/privacy_pb.js";
import { personal } from "../../../src/resources/privacy/manifest.js";
import { evidenceOf, plant } from "../../support/canaries.js";
import { startCommand } from "../../support/cli.js";
import { type Clients, type TestAccount, transports, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { pngOf } from "../../support/images.js";
import { newPerson, type Person } from "../../support/person.js";
import { uploadByCall } from "../../support/photos.js";
import { createCheckout } from "../../support/purchases.js";

let account: TestAccount;
let person: Person;
const clientele = useClientele();
beforeAll(async () => {
  account = await clientele.createAccount();
  person = await newPerson(clientele, account);
});

async function exported({ privacy }: Pick<Clients, "privacy">, customerId: string) {
  const messages: ExportCustomerDataResponse[] = [];
  for await (const message of privacy.exportCustomerData({ customerId })) messages.push(message);
  return messages;
}

const jsonOf = (messages: readonly ExportCustomerDataResponse[]) =>
  messages.map((message) => toJson(ExportCustomerDataResponseSchema, message));
const kindsOf = (messages: readonly ExportCustomerDataResponse[]) => [
  ...new Set(messages.map(({ item }) => item.case)),
];

describe("every personal column that is shown", () => {
  let text: string;
  let bytes: Buffer;
  beforeAll(async () => {
    await plant(clientele.db, person.id);
    const messages = await exported(account.test, person.id);
    text = JSON.stringify(jsonOf(messages)).toLowerCase();
    bytes = Buffer.concat(
      messages.flatMap(({ item }) => (/Part$/.test(item.case!) ? [Object(item.value).content] : [])),
    );
  });

  const columns = personal.flatMap(({ table, customer, shown }) =>
    shown.map((column) => ({ name: `${table}.${column}`, table, customer, column })),
  );
  test.for(columns)("$name is exported", async (place) => {
    const evidence = await evidenceOf(clientele.db, person.id, place);
    // Else this test could not fail: let newPerson have such a value.
    expect(evidence).not.toEqual([]);
    for (const value of evidence) {
      if (Buffer.isBuffer(value)) expect(bytes.includes(value)).toBe(true);
      else expect(text).toContain(JSON.stringify(value).toLowerCase().replace(/^"|"$/g, ""));
    }
  });
});

test.for(Object.entries(transports))("it streams alike over %s", async ([, open]) => {
  const privacy = createClient(PrivacyService, open(clientele, account.testKey));
  const messages = await exported({ privacy }, person.id);
  expect(kindsOf(messages)[0]).toBe("customer");
  expect(jsonOf(messages)).toEqual(jsonOf(await exported(account.test, person.id)));
});

test("each row of many pages is exported once, in order, and a photo in parts", { timeout: 60_000 }, async () => {
  const { id: customerId } = await createCustomer(account.test);
  const content = await pngOf(900_000);
  await uploadByCall(account.test, customerId, content);
  const ids: string[] = [];
  for (let made = 0; made < 401; made++) ids.push((await createCheckout(account.test, { customerId })).id);
  const messages = await exported(account.test, customerId);
  const checkouts = messages.flatMap(({ item }) => (item.case === "checkout" ? [item.value.id] : []));
  expect(checkouts).toEqual(ids);
  const parts = messages.flatMap(({ item }) => (item.case === "photoPart" ? [item.value] : []));
  const { content: stored } = await clientele.db("photos").where({ customer_id: customerId }).first();
  expect(Buffer.concat(parts.map((part) => part.content)).equals(stored)).toBe(true);
  expect(new Set(parts.map(({ size }) => Number(size)))).toEqual(new Set([stored.length]));
  expect(parts.length).toBe(Math.ceil(stored.length / (256 * 1024)));
});

test("a reader that does not go on holds no transaction", async () => {
  const stream = account.test.privacy.exportCustomerData({ customerId: person.id })[Symbol.asyncIterator]();
  await stream.next();
  const { rows } = await clientele.db.raw(
    "select state from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'",
  );
  expect(rows).toEqual([]);
  await stream.return?.();
});

test("of a purged customer what is left is exported, and of an erased one nothing personal", async () => {
  const { test: clients, ...rest } = await clientele.createAccount(4);
  const { id, values } = await newPerson(clientele, { test: clients, ...rest });
  await clients.customers.deleteCustomer({ id });
  const left = await exported(clients, id);
  expect(kindsOf(left)).toEqual(["customerToken", "taxIdentifier", "checkout", "order", "event"]);
  expect(JSON.stringify(jsonOf(left))).toContain(values.contact);
  await clients.privacy.requestErasure({ customerId: id });
  const after = await exported(clients, id);
  expect(kindsOf(after)).toEqual(["checkout", "order", "erasure", "event"]);
  const text = JSON.stringify(jsonOf(after));
  for (const value of Object.values(values)) expect(text).not.toContain(value.toString());
});

test("a customer that is absent, or another tenant's, is NOT_FOUND", async () => {
  const other = await clientele.createAccount();
  const absent = await failureOf(exported(account.test, "cus_absent"));
  expect(absent).toMatchObject({ code: "NotFound", message: "The customer could not be found, please check the id." });
  expect(await failureOf(exported(other.test, person.id))).toEqual(absent);
});

test("no secret of the person is in it", async () => {
  const text = JSON.stringify(jsonOf(await exported(account.test, person.id)));
  for (const secret of ["password hash", "secret hash", "key-create"]) {
    expect(text).not.toContain(person.values[secret]);
  }
});

describe("clientele export-person", () => {
  const run = async (...args: string[]) =>
    await startCommand(clientele.databaseUrl, ["export-person", "--account", account.accountId, ...args]).ended;

  test("prints what the call streams, a line for each message", async () => {
    const { code, stdout, stderr } = await run("--customer", person.id);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    // Nobody's URL is known to the command line.
    const wanted = jsonOf(await exported(account.test, person.id));
    const plain = (json: unknown) => JSON.stringify(json).replaceAll(clientele.httpUrl, "");
    expect(lines.map((line) => plain(JSON.parse(line)))).toEqual(wanted.map(plain));
  });

  test("an absent customer is an error", async () => {
    const { code, stdout, stderr } = await run("--customer", "cus_absent");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe("The customer could not be found, please check the id.\n");
  });
});
