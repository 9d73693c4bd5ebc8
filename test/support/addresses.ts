import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Address, AddressSchema } from "../../gen/clientele/v1/addresses_pb.js";
import type { Clients } from "./clientele.js";

/** An address in Texas that every preset accepts. */
export const houston = {
  firstName: "Ada",
  lastName: "Lovelace",
  line1: "901 Bagby Street",
  city: "Houston",
  state: "TX",
  postalCode: "77002",
  country: "US",
} as const;

/** Creates an address that every preset accepts. */
export async function createAddress(
  { addresses }: Clients,
  customerId: string,
  overrides: MessageInitShape<typeof AddressSchema> = {},
): Promise<Address> {
  const { address } = await addresses.createAddress({ customerId, address: { ...houston, ...overrides } });
  return address!;
}
