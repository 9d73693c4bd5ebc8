import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Customer } from "../../../../gen/clientele/v1/customers_pb.js";
import { element, section } from "../dom.js";
import { service } from "../service.js";

export async function orders({ id: customerId }: Customer): Promise<HTMLElement> {
  const { orders: placed } = await service.orders.listOrders({ customerId, pageSize: 100 });
  const items = placed.map(({ id, createTime, paymentMethod }) => {
    const day = createTime === undefined ? "" : timestampDate(createTime).toLocaleDateString();
    const card = paymentMethod?.card ? `${paymentMethod.card.brand} …${paymentMethod.card.last4}` : "";
    return element("li", {}, ...[id, day, card].map((text) => element("span", {}, text)));
  });
  return section("Orders", items.length > 0 ? element("ul", {}, ...items) : "None yet.");
}
