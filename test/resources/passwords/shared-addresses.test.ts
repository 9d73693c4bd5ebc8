import { expect, test } from "vitest";
import { EmailUniqueness } from "../../../gen/clientele/v1/accounts_pb.js";
import { useClientele } from "../../support/clientele.js";
import { createCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { changeSettings } from "../../support/settings.js";
import { signIn } from "../../support/shoppers.js";

const start = new Date("2026-03-01T12:00:00Z");
let now = start;
const clientele = useClientele({ clock: () => now });
const failed = { code: "Unauthenticated", reason: "LOGIN_FAILED" };

test("customers who changed to the address sign in too, after an attempt or two", async () => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, { emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED });
  const email = newEmail();
  const ids: string[] = [];
  for (let index = 0; index < 7; index++) {
    now = new Date(start.getTime() + index * 1000);
    const { id } = await createCustomer(own, { email: newEmail(), password: `password ${index}` });
    await own.customers.updateCustomer({ customer: { id, email } });
    ids.push(id);
  }
  const last = () => signIn(own, email, "password 6");
  expect(await failureOf(last())).toMatchObject(failed);
  expect(await failureOf(last())).toMatchObject(failed);
  expect((await last()).token.customerId).toBe(ids[6]);
  // The password has the salt of the address from now on.
  expect((await last()).token.customerId).toBe(ids[6]);
});
