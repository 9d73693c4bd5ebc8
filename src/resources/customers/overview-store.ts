import type { Knex } from "knex";
import type { PaymentMethodRow } from "../payment-methods/store.js";
import { type ShownCustomerRow, selectShown, shownRow } from "./store.js";

/** The part of an order that an overview shows. */
export interface OrderSummaryRow {
  id: string;
  checkout_id: string;
  url: string;
  display_name: string;
  create_time: Date;
}

/** A customer with all that its overview shows. */
export interface OverviewRow extends ShownCustomerRow {
  /** The default one. */
  payment_method: PaymentMethodRow | null;
  address_count: number;
  payment_method_count: number;
  /** By state; without the states of none. */
  checkout_counts: Readonly<Record<string, number>>;
  order_count: number;
  /** Newest first. */
  last_orders: OrderSummaryRow[];
}

const mostOrders = 5;

/** A customer at a time with all that its overview shows; undefined if there is none, or it was purged. One statement. */
export async function findOverview(
  db: Knex,
  tenantId: string,
  id: string,
  now: Date,
): Promise<OverviewRow | undefined> {
  const own = (table: string) => db(table).where({ tenant_id: tenantId, customer_id: id });
  const countOf = (table: string, name: string) => own(table).count("*").as(name);
  // A due checkout has failed, whether or not the job has stored that.
  const states = own("checkouts")
    .select(
      db.raw("case when state = 'pending' and expire_time <= ? then 'failed' else state end as state, count(*)", [now]),
    )
    .groupByRaw("1");
  const orders = own("orders")
    .orderBy([
      { column: "create_time", order: "desc" },
      { column: "id", order: "desc" },
    ])
    .limit(mostOrders)
    .select("id", "checkout_id", "url", "display_name", "create_time");
  const newestFirst = "coalesce(jsonb_agg(one order by create_time desc, id desc), '[]')";
  const row: OverviewRow | undefined = await selectShown(db, tenantId)
    .leftJoin("payment_methods as method", {
      "method.tenant_id": "customers.tenant_id",
      "method.customer_id": "customers.id",
      "method.id": "customers.default_payment_method_id",
    })
    .where("customers.id", id)
    .select(
      db.raw("to_jsonb(method) as payment_method"),
      countOf("addresses", "address_count"),
      countOf("payment_methods", "payment_method_count"),
      db.raw("(select coalesce(jsonb_object_agg(state, count), '{}') from (?) one) as checkout_counts", [states]),
      countOf("orders", "order_count"),
      db.raw(`(select ${newestFirst} from (?) one) as last_orders`, [orders]),
    )
    .first();
  return row && timedRow(shownRow(row));
}

// Times come as text out of JSON.
function timedRow(row: OverviewRow): OverviewRow {
  const method = row.payment_method;
  if (method !== null) {
    method.create_time = new Date(method.create_time);
    method.update_time = new Date(method.update_time);
  }
  for (const order of row.last_orders) order.create_time = new Date(order.create_time);
  return row;
}
