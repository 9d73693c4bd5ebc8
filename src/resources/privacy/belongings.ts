/** The rows of one table that belong to a customer. */
export interface Belonging {
  /** The columns that name the customer: the present one, and the former one where the row may change hands. */
  readonly owners: readonly ("customer_id" | "former_customer_id")[];
  /**
   * A purge deletes the rows, or keeps them because they outlive the customer, or leaves them to a `step` of its own in
   * `purge.ts`.
   */
  readonly purge: "delete" | "step" | "keep";
  /** The event of a row that a purge or an erasure deletes; absent for a part of another resource. */
  readonly deletion?: string;
  /** The column that a personal export orders the rows by; absent if it leaves them to a step of its own. */
  readonly exportedBy?: string;
}

const owned = { owners: ["customer_id"], exportedBy: "create_time" } as const;
const transferable = { owners: ["customer_id", "former_customer_id"], exportedBy: "create_time" } as const;
const part = { owners: ["customer_id"] } as const;

/**
 * Everything that belongs to a customer, by table, in the order of a purge. The purge, the erasure (`manifest.ts`) and the
 * personal export walk this list. A table with the column `customer_id` that is missing here fails a test.
 */
export const belongings = {
  // The customer shows them.
  external_references: { ...part, purge: "step" },
  passwords: { ...part, purge: "step" },
  customer_tokens: { ...owned, purge: "step" },
  customer_identities: { ...owned, purge: "delete", deletion: "customer_identity.deleted" },
  photos: { ...part, purge: "delete", deletion: "photo.deleted" },
  addresses: { ...owned, purge: "delete", deletion: "address.deleted" },
  tax_identifiers: { ...transferable, purge: "delete", deletion: "tax_identifier.deleted" },
  tax_certificates: { ...owned, purge: "delete", deletion: "tax_certificate.deleted" },
  // The settings say whether a detached token can be attached again.
  payment_methods: { ...transferable, purge: "step" },
  checkouts: { ...owned, purge: "keep" },
  orders: { ...owned, purge: "keep" },
  erasures: { ...owned, purge: "keep" },
  events: { ...part, purge: "keep" },
  idempotency_keys: { ...part, purge: "keep" },
} as const satisfies Readonly<Record<string, Belonging>>;

export type BelongingTable = keyof typeof belongings;

/** The tables that a personal export reads page by page. */
export type ExportedTable = {
  [Table in BelongingTable]: (typeof belongings)[Table] extends { exportedBy: string } ? Table : never;
}[BelongingTable];

/** The belongings of every table, with the name of the table. */
export const allBelongings: readonly (Belonging & { readonly table: BelongingTable })[] = Object.entries(
  belongings,
).map(([table, belonging]) => ({ table: table as BelongingTable, ...belonging }));
