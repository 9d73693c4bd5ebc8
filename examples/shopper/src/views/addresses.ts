import type { Address } from "../../../../gen/clientele/v1/addresses_pb.js";
import type { Customer } from "../../../../gen/clientele/v1/customers_pb.js";
import type { FormConstraints } from "../../../../gen/clientele/v1/forms_pb.js";
import { button, element, section } from "../dom.js";
import { addressFields, addressMask, addressOf } from "../fields.js";
import { form } from "../form.js";
import { service } from "../service.js";

export async function addresses(
  { id: customerId }: Customer,
  constraints: FormConstraints,
  show: () => Promise<void>,
): Promise<HTMLElement> {
  const { addresses: kept } = await service.addresses.listAddresses({ customerId, pageSize: 100 });
  const add = form("New address", addressFields(constraints), "Add address", async (entries) => {
    await service.addresses.createAddress({ customerId, address: addressOf(entries) });
    await show();
    return "";
  });
  const items = kept.map((address) => element("li", {}, lineOf(address), ...actions(address)));
  return section(
    "Addresses",
    element("ul", {}, ...items),
    element("details", {}, element("summary", {}, "New address"), add),
  );

  function actions(address: Address): HTMLElement[] {
    const { id, isDefault } = address;
    const edit = form("Address", addressFields(constraints, address), "Save address", async (entries) => {
      const changes = { ...addressOf(entries), id, etag: address.etag };
      await service.addresses.updateAddress({ customerId, address: changes, updateMask: { paths: addressMask } });
      await show();
      return "";
    });
    const makeDefault = button("Make default", async () => {
      await service.addresses.setDefaultAddress({ customerId, id });
      await show();
    });
    const remove = button("Remove", async () => {
      await service.addresses.deleteAddress({ customerId, id });
      await show();
    });
    const editing = element("details", {}, element("summary", {}, "Edit"), edit);
    return [...(isDefault ? [element("strong", {}, "Default")] : [makeDefault]), remove, editing];
  }
}

function lineOf({ line1, city, state, postalCode, country }: Address): string {
  return [line1, city, state, postalCode, country].filter((part) => part).join(", ");
}
