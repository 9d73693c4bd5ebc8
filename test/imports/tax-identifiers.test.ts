import { expect, test } from "vitest";
import { TaxIdentifierState } from "../../gen/clientele/v1/tax_identifiers_pb.js";
import { useClientele } from "../support/clientele.js";
import { createCustomer, getCustomer } from "../support/customers.js";
import { exportRows, importRows } from "../support/imports.js";
import { createWorker } from "../support/jobs.js";
import { createTaxIdentifier, sandboxNumbers } from "../support/tax-identifiers.js";

const clientele = useClientele();

test("a customer moves with its tax identifiers, which are verified anew", async () => {
  const [first, second] = [await clientele.createAccount(), await clientele.createAccount()];
  const { id } = await createCustomer(first.test);
  await createTaxIdentifier(first.test, id);
  await createTaxIdentifier(first.test, id, { type: "de_vat", value: "DE 136,695 976" });
  await using worker = await createWorker(clientele);
  await worker.run("verify_tax_identifiers");

  const exported = await exportRows(clientele, first);
  const identifiers = [
    { type: "us_ein", value: "100000001", country: "US" },
    { type: "de_vat", value: "136695976", country: "DE" },
  ];
  expect(exported).toMatchObject([{ id, taxIdentifiers: identifiers }]);

  const { done } = await importRows(clientele, second, exported);
  expect(done).toMatchObject({ imported: 1 });
  const moved = async () => (await getCustomer(second.test, id)).taxIdentifiers;
  expect(new Set((await moved()).map(({ state }) => state))).toEqual(new Set([TaxIdentifierState.PENDING]));
  await worker.run("verify_tax_identifiers");
  const verified = { customerId: id, state: TaxIdentifierState.VERIFIED };
  expect(await moved()).toMatchObject(identifiers.map((identifier) => ({ ...identifier, ...verified })));
});

test("output-only fields of a line are ignored, and each tax identifier leaves its event", async () => {
  const account = await clientele.createAccount();
  const invented = { id: "tax_mine", customerId: "nobody", state: "TAX_IDENTIFIER_STATE_VERIFIED" };
  const identifier = { type: "us_ein", value: sandboxNumbers.notValid, country: "United States" };
  await importRows(clientele, account, [
    { id: "ada", taxIdentifiers: [{ ...identifier, ...invented }], email: "a@x.io" },
  ]);
  const [imported, ...others] = (await getCustomer(account.test, "ada")).taxIdentifiers;
  expect(others).toEqual([]);
  expect(imported).toMatchObject({ customerId: "ada", country: "US", state: TaxIdentifierState.PENDING });
  expect(imported!.id).not.toBe(invented.id);
  const { events } = await account.test.events.listEvents({ customerId: "ada" });
  expect(events.map(({ type, resourceId }) => [type, resourceId])).toContainEqual([
    "tax_identifier.created",
    imported!.id,
  ]);
});

test("a row that is refused leaves no tax identifier", async () => {
  const account = await clientele.createAccount();
  const row = { id: "bea", email: "b@x.io", taxIdentifiers: [{ type: "us_ein", value: sandboxNumbers.verified }] };
  const { done } = await importRows(clientele, account, [row, row]);
  expect(done).toMatchObject({ imported: 1, rejected: 1 });
  const { taxIdentifiers } = await account.test.taxIdentifiers.listTaxIdentifiers({});
  expect(taxIdentifiers).toHaveLength(1);
});
