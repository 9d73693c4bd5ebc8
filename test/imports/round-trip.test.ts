import type { JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AddressPurpose } from "../../gen/clientele/v1/addresses_pb.js";
import { createAddress } from "../support/addresses.js";
import { useClientele } from "../support/clientele.js";
import { createCustomer } from "../support/customers.js";
import { exportRows, importRows } from "../support/imports.js";

const clientele = useClientele();

const words = (maxLength: number) =>
  fc
    .string({ unit: "grapheme", minLength: 1, maxLength })
    .filter((text) => !text.includes("\0") && text.isWellFormed() && text.trim() !== "");
const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const time = fc.date({ min: new Date("1990-01-01"), max: new Date("2026-01-01"), noInvalidDate: true });
const json = fc
  .jsonValue({ maxDepth: 2, noUnicodeString: false })
  .filter((value) => !/\\u|__proto__|\d{13}/.test(JSON.stringify(value)));

const address = fc.record({
  label: optional(words(20)),
  name: optional(words(20)),
  line1: words(40),
  line2: optional(words(40)),
  city: words(20),
  country: fc.constantFrom("CR", "Costa Rica", "DE", "Ireland"),
  instructions: optional(words(40)),
  additionalAddressInfo: optional(fc.record({ neighborhood: optional(words(20)) })),
});

const customer = fc.record({
  name: optional(words(30)),
  firstName: optional(words(20)),
  lastName: optional(words(20)),
  displayName: optional(words(20)),
  phone: optional(fc.constantFrom("+50683236988", "8323 6988", "952-111-1111")),
  country: optional(fc.constantFrom("CR", "Costa Rica", "US")),
  locale: optional(fc.constantFrom("en_US", "es_CR")),
  type: optional(fc.constantFrom("CUSTOMER_TYPE_INDIVIDUAL", "CUSTOMER_TYPE_BUSINESS")),
  enabled: optional(fc.boolean()),
  requestToBeForgotten: optional(fc.boolean()),
  metadata: optional(fc.dictionary(fc.stringMatching(/^[a-z]{1,10}$/), json, { maxKeys: 4 })),
  addresses: fc.array(address, { maxLength: 3 }),
  taxIdentifiers: fc.subarray([
    { type: "us_ein", value: "10-0000001" },
    { type: "gb_vat", value: "GB980780684" },
  ]),
  createTime: optional(time.map((it) => it.toISOString())),
  deleteTime: optional(time.map((it) => it.toISOString())),
});

describe("an export", () => {
  test("that is imported into another tenant is exported from there as the same", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(customer, { minLength: 1, maxLength: 12 }), async (customers) => {
        const [first, second] = [await clientele.createAccount(), await clientele.createAccount()];
        const rows = customers.map((row, index) => ({
          ...row,
          email: `c${index}@example.com`,
          externalReferences: [{ name: "crm", id: `${index}` }],
        }));
        const { done } = await importRows(clientele, first, rows);
        expect(done).toMatchObject({ imported: rows.length, rejected: 0 });
        const exported = await exportRows(clientele, first, { includeDeleted: true });
        expect(exported).toHaveLength(rows.length);
        const { rejections } = await importRows(clientele, second, exported);
        expect(rejections).toEqual([]);
        expect(lasting(await exportRows(clientele, second, { includeDeleted: true }))).toEqual(lasting(exported));
      }),
      { numRuns: 25 },
    );
  });

  test("shows what was made by the API, and no default where there is none", async () => {
    const [first, second] = [await clientele.createAccount(), await clientele.createAccount()];
    const { id } = await createCustomer(first.test, { metadata: { plan: "gold" } });
    const [one, two] = [
      await createAddress(first.test, id, { label: "one" }),
      await createAddress(first.test, id, { label: "two" }),
    ];
    await first.test.addresses.setDefaultAddress({ customerId: id, id: two.id });
    await first.test.addresses.setDefaultAddress({ customerId: id, id: one.id, purpose: AddressPurpose.BILLING });
    const other = await createCustomer(first.test);
    const only = await createAddress(first.test, other.id);
    await first.test.customers.updateCustomer({
      customer: { id: other.id },
      updateMask: { paths: ["default_address_id"] },
    });
    const exported = await exportRows(clientele, first);
    await importRows(clientele, second, exported);
    const { customer } = await second.test.customers.getCustomer({ id });
    expect(customer).toMatchObject({
      defaultAddressId: two.id,
      defaultBillingAddressId: one.id,
      metadata: { plan: "gold" },
    });
    const { addresses } = await second.test.addresses.listAddresses({ customerId: id });
    expect(addresses.map((it) => it.id).sort()).toEqual([one.id, two.id].sort());
    const copy = (await second.test.customers.getCustomer({ id: other.id })).customer!;
    expect(copy.defaultAddressId).toBeUndefined();
    expect((await second.test.addresses.getAddress({ customerId: other.id, id: only.id })).address).toBeDefined();
  });

  test("reads all batches, hides the deleted, and goes on behind an id", async () => {
    const account = await clientele.createAccount();
    const rows = Array.from({ length: 1203 }, (_, index) => ({
      id: `x${String(index).padStart(5, "0")}`,
      email: `x${index}@example.com`,
      ...(index % 100 === 0 && { deleteTime: "2026-01-01T00:00:00Z" }),
    }));
    await importRows(clientele, account, rows);
    const ids = (all: JsonObject[]) => all.map(({ id }) => id);
    const all = ids(await exportRows(clientele, account, { includeDeleted: true }));
    expect(all).toEqual(rows.map(({ id }) => id));
    expect(await exportRows(clientele, account)).toHaveLength(1203 - 13);
    expect(ids(await exportRows(clientele, account, { includeDeleted: true, after: "x00700" }))).toEqual(
      all.slice(701),
    );
  });
});

// All but when it was written here.
function lasting(rows: JsonObject[]): JsonObject[] {
  return JSON.parse(JSON.stringify(rows), (key, value) => (key === "updateTime" ? undefined : value));
}
