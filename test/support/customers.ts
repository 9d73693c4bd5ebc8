import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Customer, CustomerSchema } from "../../gen/clientele/v1/customers_pb.js";
import type { Clients } from "./clientele.js";

let made = 0;

/** An e-mail address that no other customer of this test file has. */
export function newEmail(): string {
  made += 1;
  return `ada${made}@example.com`;
}

/** Creates a customer that every preset accepts. */
export async function createCustomer(
  { customers }: Clients,
  overrides: MessageInitShape<typeof CustomerSchema> = {},
): Promise<Customer> {
  const person = { email: newEmail(), name: "Ada Lovelace", firstName: "Ada", lastName: "Lovelace" };
  const { customer } = await customers.createCustomer({ customer: { ...person, ...overrides } });
  return customer!;
}

export async function getCustomer({ customers }: Clients, id: string): Promise<Customer> {
  const { customer } = await customers.getCustomer({ id });
  return customer!;
}
