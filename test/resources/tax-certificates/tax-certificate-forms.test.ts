import { beforeAll, expect, test } from "vitest";
import { type TestAccount, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { formOf, pdfOf, postForm } from "../../support/tax-certificates.js";

let account: TestAccount;
const clientele = useClientele();
beforeAll(async () => {
  account = await clientele.createAccount();
});

const badForms: { name: string; change: (form: FormData) => void; fields: Record<string, unknown> }[] = [
  { name: "without a file", change: (form) => form.delete("file"), fields: { file: "This field is required." } },
  {
    name: "with a part twice",
    change: (form) => form.append("end_date", "2026-12-30"),
    fields: { end_date: "must be in the form once" },
  },
  {
    name: "with two files",
    change: (form) => form.append("file", new Blob(["%PDF-1.7"]), "b.pdf"),
    fields: { file: expect.stringContaining("must be a file") },
  },
  {
    name: "with a part of its own",
    change: (form) => form.append("customer_id", "x"),
    fields: { file: expect.stringContaining("must be a file") },
  },
  {
    name: "with a text for a file",
    change: (form) => form.set("file", "x"),
    fields: { file: expect.stringContaining("must be a file") },
  },
  {
    name: "with a very long part",
    change: (form) => form.set("company_name", "x".repeat(2000)),
    fields: { company_name: "must be at most 1024 bytes" },
  },
];

test.for(badForms)("a form $name is refused", async ({ change, fields }) => {
  const { id } = await createCustomer(account.test);
  const form = formOf(pdfOf(64));
  change(form);
  const failure = await failureOf(postForm(clientele, account, id, form));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID", fields });
});

test("a form may hold its parts in any order, and any script", async () => {
  const { id } = await createCustomer(account.test);
  const form = new FormData();
  const parts = [...formOf(pdfOf(64), { companyName: "Société Ψ" })].reverse();
  for (const [name, value] of parts) form.append(name, value);
  expect(await postForm(clientele, account, id, form)).toMatchObject({ companyName: "Société Ψ", customerId: id });
});
