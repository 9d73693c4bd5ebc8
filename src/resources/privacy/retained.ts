/** The part of one table that outlives an erasure, with the reason for the receipt. */
export interface RetainedColumns {
  readonly table: string;
  readonly columns: readonly string[];
  readonly reason: string;
}

/** The columns that an erasure keeps. Personal columns stand in `personal` instead. */
export const retainedColumns: readonly RetainedColumns[] = [
  {
    table: "customers",
    columns: ["id", "create_time", "update_time", "delete_time"],
    reason:
      "Orders go by the id, and it is never given to another customer. If you chose an id that tells who somebody is, it does so here as in your own books.",
  },
  {
    table: "orders",
    columns: ["id", "checkout_id", "customer_id", "create_time"],
    reason: "The law requires the record of a sale, not of its buyer.",
  },
  {
    table: "checkouts",
    columns: ["id", "customer_id", "state", "resolutions", "create_time", "update_time"],
    reason: "Orders refer to them.",
  },
  {
    table: "payment_methods",
    columns: ["token_key", "type", "consume_time", "create_time", "update_time"],
    reason: "The hash of a consumed token keeps it from being used again, where the settings consume what is detached.",
  },
  {
    table: "events",
    columns: ["type", "resource_id", "customer_id", "changed_paths", "actor", "create_time"],
    reason:
      "They prove who changed what and when, this erasure too. They never held a value, and name the hash of a token now.",
  },
  {
    table: "webhook_deliveries",
    columns: ["id", "endpoint_id", "event_id", "event_type", "state", "attempts", "create_time"],
    reason:
      "They show what was sent to your servers, for a month. Your servers are told by the events of the erasure, such as customer.erased.",
  },
  {
    table: "idempotency_keys",
    columns: ["key_hash", "method", "expire_time"],
    reason: "A retry under an old Idempotency-Key must not create the person again. It is deleted after 24 hours.",
  },
  {
    table: "erasures",
    columns: ["id", "customer_id", "state", "create_time", "due_time", "end_time", "receipt"],
    reason: "They prove that the request was followed.",
  },
];

/** The columns that the erasure of a guest keeps. */
export const retainedOfGuests = retainedColumns.filter(
  ({ table }) => !["customers", "payment_methods"].includes(table),
);
