import { beforeAll, expect, test } from "vitest";
import { EmailUniqueness } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { changeSettings } from "../../support/settings.js";

let clients: Clients;
const clientele = useClientele();
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
  await changeSettings(clients, { emailUniqueness: EmailUniqueness.UNIQUE });
});

test("no invisible character makes a second customer of one e-mail address", async () => {
  const email = newEmail();
  await createCustomer(clients, { email });
  for (const sign of ["\u200b", "\u2060", "\u202a", "\ufeff", "\u00ad", "\u200d", "\u3164"]) {
    for (const again of [sign + email, email + sign, email.replace("@", `${sign}@`), email.replace("@", `@${sign}`)]) {
      expect(["EMAIL_TAKEN", "FIELDS_INVALID"]).toContain(
        (await failureOf(createCustomer(clients, { email: again }))).reason,
      );
    }
  }
  expect(await failureOf(createCustomer(clients, { email: `\u200b${email}\u200b` }))).toMatchObject({
    reason: "EMAIL_TAKEN",
  });
});

test("a domain in letters and in punycode is one, shown as it was typed", async () => {
  const [name] = newEmail().split("@");
  const customer = await createCustomer(clients, { email: `${name}@Müller-Beispiel.de` });
  expect(customer.email).toBe(`${name}@Müller-Beispiel.de`);
  const again = createCustomer(clients, { email: `${name}@xn--mller-beispiel-gsb.de` });
  expect(await failureOf(again)).toMatchObject({ reason: "EMAIL_TAKEN" });
});

test.for([".ada@x.io", "ada.@x.io", "a..da@x.io", `${"a".repeat(65)}@x.io`, "ada@-x.io", "ada@x_y.io"])(
  "%s is no e-mail address",
  async (email) => {
    expect(await failureOf(createCustomer(clients, { email }))).toMatchObject({
      code: "InvalidArgument",
      fields: { "customer.email": "Enter a valid email address." },
    });
  },
);

test("a name is kept composed, without invisible and control characters; one of nothing else is absent", async () => {
  const customer = await createCustomer(clients, {
    name: "\u202aJose\u0301\u0007 Nu\u0301n\u0303ez\u202c",
    firstName: "\u200b",
    lastName: "\u3164 \u2800",
  });
  expect(customer.name).toBe("José Núñez");
  expect(customer.firstName).toBeUndefined();
  expect(customer.lastName).toBeUndefined();
});
