import type { Customer } from "../../../../gen/clientele/v1/customers_pb.js";
import type { FormConstraints } from "../../../../gen/clientele/v1/forms_pb.js";
import { section } from "../dom.js";
import { customerFields, customerMask, customerOf, passwordField } from "../fields.js";
import { form } from "../form.js";
import { service } from "../service.js";
import { session } from "../session.js";

export function profile(customer: Customer, constraints: FormConstraints): HTMLElement {
  let { etag } = customer;
  const fields = customerFields(constraints, customer);
  const save = form("Profile", fields, "Save", async (entries) => {
    const changes = { ...customerOf(entries, constraints), id: customer.id, etag };
    const updateMask = { paths: customerMask(constraints) };
    const saved = await service.customers.updateCustomer({ customer: changes, updateMask });
    etag = saved.customer?.etag ?? "";
    return "Saved.";
  });
  return section("Profile", save);
}

/** All tokens end with a new password, this page's too. */
export function password({ id }: Customer, constraints: FormConstraints, show: () => Promise<void>): HTMLElement {
  const fields = [
    { ...passwordField("old_password", constraints), label: "Present password" },
    { ...passwordField("new_password", constraints), label: "New password" },
  ];
  const change = form("Password", fields, "Change password", async (entries) => {
    const oldPassword = String(entries.get("old_password"));
    await service.passwords.changePassword({
      customerId: id,
      oldPassword,
      newPassword: String(entries.get("new_password")),
    });
    session.clear();
    await show();
    return "";
  });
  return section("Password", change);
}
