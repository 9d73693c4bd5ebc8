import type { FormConstraints } from "../../../../gen/clientele/v1/forms_pb.js";
import { section } from "../dom.js";
import { customerFields, customerOf, emailField, passwordField } from "../fields.js";
import { type Entries, form } from "../form.js";
import { service } from "../service.js";
import { session } from "../session.js";

/** The view before sign-in: sign in, or sign up. */
export function door(constraints: FormConstraints, show: () => Promise<void>): HTMLElement[] {
  const signIn = async (entries: Entries) => {
    const emailPassword = { email: String(entries.get("email")), password: String(entries.get("password")) };
    const credential = { case: "emailPassword" as const, value: emailPassword };
    const { customerToken, secret } = await service.tokens.createCustomerToken({ credential });
    session.write({ secret, tokenId: customerToken!.id, customerId: customerToken!.customerId });
    await show();
    return "";
  };
  const signUp = async (entries: Entries) => {
    const password = String(entries.get("customer.password"));
    const { customer } = await service.customers.createCustomer({
      customer: { ...customerOf(entries, constraints), password },
    });
    return await signIn(
      new Map([
        ["email", customer!.email ?? ""],
        ["password", password],
      ]),
    );
  };
  const signInFields = [emailField("email"), passwordField("password", constraints)];
  const signUpFields = [...customerFields(constraints), passwordField("customer.password", constraints)];
  return [
    section("Sign in", form("Sign in", signInFields, "Sign in", signIn)),
    section("Sign up", form("Sign up", signUpFields, "Sign up", signUp)),
  ];
}
