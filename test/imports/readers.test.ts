import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CustomerType } from "../../gen/clientele/v1/customers_pb.js";
import { Problems } from "../../src/imports/problems.js";
import { readers } from "../../src/imports/readers.js";
import { refusal, refusalOf } from "../../src/imports/refusal.js";
import { SourceObject } from "../../src/imports/source-row.js";
import { isObject } from "../../src/rpc/requests/exact-json.js";

const austin = { line1: "123 Main St", city: "Austin", state: "TX", postalCode: "78701", country: "US" };
const houston = { line1: "901 Bagby Street", city: "Houston", state: "TX", postalCode: "77002", country: "US" };
const minnetonka = { line1: "10380 Bren Rd W", city: "Minnetonka", state: "MN", country: "US" };

// What every line of a source's samples is read as, or why it is refused.
const cases: Record<string, (object | { refused: string; field?: string })[]> = {
  stripe: [
    {
      id: "cus_NffrFeUfNV2Hib",
      customer: { email: "jennyrosen@example.com", name: "Jenny Rosen", metadata: {} },
      addresses: [],
      liveMode: false,
      createTime: new Date("2023-04-07T18:59:53Z"),
    },
    {
      id: "cus_NWeHJ69zAJZx9Y",
      customer: {
        email: "john@example.com",
        name: "John Doe",
        phone: "+15125550100",
        country: "US",
        locale: "en_US",
        metadata: { description: "Met at the fair", order_id: "6735" },
        externalReferences: [{ name: "stripe-payment-method", id: "pm_1MqLiJLkdIwHu7ix" }],
      },
      addresses: [
        { ...houston, name: "Jane Doe", phone: "+17135550100" },
        { ...austin, label: "Billing", name: "John Doe", phone: "+15125550100" },
      ],
      defaultAddress: 0,
    },
    { customer: { locale: "fr_CA" }, addresses: [{ ...austin, name: "Same Place" }], defaultAddress: 0 },
    { customer: { country: "CR", locale: "es_CR", email: "country@example.com" }, addresses: [] },
    { liveMode: true },
    { refused: "SOURCE_DELETED" },
  ],
  "digital-river": [
    {
      id: "5823594809",
      customer: { email: "jsmith@digitalriver.com", enabled: true, locale: "en_US", type: CustomerType.INDIVIDUAL },
      addresses: [{ ...minnetonka, postalCode: "55129", phone: "952-111-1111", email: "jsmith@digitalriver.com" }],
      defaultAddress: 0,
      liveMode: false,
      createTime: new Date("2020-05-06T22:28:01Z"),
    },
    {
      customer: {
        type: CustomerType.BUSINESS,
        enabled: false,
        metadata: { coupon: "iOS" },
        externalReferences: [{ name: "digital-river-source", id: "fd74a5c5-0163-469a-ae8e-031f0259b576" }],
      },
      addresses: [
        {
          ...minnetonka,
          line2: "Suite 2",
          postalCode: "55343",
          name: "John Smith",
          organization: "Digital River",
          additionalAddressInfo: { neighborhood: "Opus", division: "Sales", phoneticName: "jon" },
        },
      ],
    },
    { id: "5823594810", customer: {}, addresses: [], defaultAddress: null },
    { refused: "SOURCE_DELETED", field: "requestToBeForgotten" },
    { refused: "FIELDS_INVALID", field: "type" },
    { liveMode: true },
  ],
  "four-geeks": [
    {
      id: "217866f3-e1c2-465c-a242-1c04e30ba3fa",
      customer: { firstName: "test", lastName: "test", email: "shadya.mora+401@4geeks.io", metadata: {} },
      liveMode: false,
    },
    { customer: { country: "Costa Rica" } },
    {
      customer: {
        phone: "000000000",
        externalReferences: [{ name: "stripe", id: "cus_NWeHJ69zAJZx9Y" }],
        metadata: {
          tier: "gold",
          photo: "https://storage.googleapis.com/g-payments.appspot.com/img/Josito_Urenas_test_1696279031.jpeg",
        },
      },
      createTime: new Date("2023-03-14T16:46:08.241Z"),
    },
    { customer: { lastName: "Mora Sánchez" }, liveMode: true },
    { refused: "FIELDS_INVALID", field: "metadata" },
  ],
  "elastic-path": [
    {
      id: "deb6f25c-ffdc-45f3-80e2-a6ed7e1a1c70",
      customer: { name: "Ron Swanson", email: "ron@swanson.com", metadata: {} },
      addresses: [],
    },
    {
      customer: { name: "Leslie Knope", metadata: { favourite_waffle: "plain", shoe_size: 38 } },
      addresses: [
        {
          ...austin,
          label: "Home",
          firstName: "Leslie",
          lastName: "Knope",
          organization: "Parks",
          phone: "(555) 555-1234",
          line1: "123 Sunny Street",
          county: "Travis",
          instructions: "Leave in porch",
        },
      ],
      createTime: new Date("2019-01-22T14:20:15.405Z"),
    },
    { refused: "FIELDS_INVALID", field: "name" },
  ],
};

describe.for(Object.keys(cases))("the customers of %s", (source) => {
  const lines = readFileSync(join(import.meta.dirname, `${source}.ndjson`), "utf8")
    .trim()
    .split("\n");
  const table = lines.map((line, index) => ({ number: index + 1, line, want: cases[source]![index]! }));

  test.for(table)("line $number is read as what it says", ({ line, want }) => {
    const read = () => readLine(source, JSON.parse(line));
    if (!("refused" in want)) return expect(read()).toMatchObject(want);
    const { reason, violations } = refusedBy(read);
    expect({ reason, field: violations[0]?.field }).toEqual({
      reason: want.refused,
      field: (want as { field?: string }).field,
    });
  });

  test("a field of a wrong kind never causes INTERNAL", () => {
    for (const wrong of [7, true, "text", [], [7], {}, null]) {
      for (const line of lines) {
        for (const key of Object.keys(JSON.parse(line))) {
          try {
            readLine(source, { ...JSON.parse(line), [key]: wrong });
          } catch (error) {
            expect(refusalOf(error), `${key} ${JSON.stringify(wrong)}`).toBeDefined();
          }
        }
      }
    }
  });
});

// As an import reads it, without what the rules of the tenant say.
function readLine(source: string, line: Record<string, unknown>): unknown {
  const reader = readers.get(source)!;
  const key = reader.unwrap(line as never);
  const object: unknown = key === undefined ? line : line[key];
  if (!isObject(object)) throw refusal("JSON_INVALID", "no object");
  const why = reader.refuse(object);
  if (why !== undefined) throw refusal("NOT_A_CUSTOMER", why);
  const [problems, wrong] = [new Problems(), []];
  const row = reader.read(new SourceObject(object, wrong));
  problems.addMisread(wrong);
  problems.throwIfAny();
  return row;
}

function refusedBy(read: () => unknown) {
  try {
    read();
  } catch (error) {
    return refusalOf(error)!;
  }
  throw new Error("not refused");
}
