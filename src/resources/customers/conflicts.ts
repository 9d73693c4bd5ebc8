import { violates } from "../../db/errors.js";
import { invalidField, rpcError } from "../../rpc/errors.js";

/** Throws the error that a violated constraint of customers means to a client; other errors as they are. */
export function explainConflict(error: unknown): never {
  if (violates(error, "customers_email_key")) throw emailTaken();
  if (violates(error, "customers_pkey")) {
    throw rpcError("CUSTOMER_ID_TAKEN", "A customer with this id exists or existed already.");
  }
  if (violates(error, "external_references_pkey")) {
    throw rpcError("EXTERNAL_REFERENCE_TAKEN", "Another customer has this external reference.");
  }
  if (violates(error, "customers_default_address_fkey")) throw notOwnAddress("default_address_id");
  if (violates(error, "customers_default_billing_address_fkey")) throw notOwnAddress("default_billing_address_id");
  if (violates(error, "customers_default_payment_method_fkey")) {
    throw invalidField("customer.default_payment_method_id", "must be one of the customer's payment methods");
  }
  throw error;
}

/** The error for an address that another customer has. */
export function emailTaken() {
  return rpcError("EMAIL_TAKEN", "A customer with this e-mail address exists already.");
}

/** The error for a default address that is not one of the customer's. */
export function notOwnAddress(field: "default_address_id" | "default_billing_address_id") {
  return invalidField(`customer.${field}`, "must be one of the customer's addresses");
}
