import { clearedColumns } from "../customers/fields.js";
import { type Belonging, type BelongingTable, belongings } from "./belongings.js";

/** The rows of one table that tell of a person, and what an erasure does to them. */
export interface PersonalRows {
  readonly table: string;
  /** The columns, or expressions, that hold the customer's id: a row is the customer's if one of them does. */
  readonly customer: readonly string[];
  /** A condition in SQL on those that hold something personal; absent for all. */
  readonly only: string | undefined;
  /** The event of each row, such as `address.deleted`; none for what is a part of another resource, or beside them all. */
  readonly event: string | undefined;
  /** The value of each personal column after an erasure, in SQL; undefined where the rows are deleted. */
  readonly cleared: Columns | undefined;
  /** Impersonal columns written along, in SQL; `:now` is the time of the erasure. */
  readonly also: Columns;
  /** The personal columns that their person is shown by ExportCustomerData. */
  readonly shown: readonly string[];
  /** Columns that are secret, or derived from the others: erased too, and never exported. */
  readonly hidden: readonly string[];
}

type Columns = Readonly<Record<string, string>>;

interface RowOptions {
  /** `customer_id` unless it is said. */
  readonly customer?: readonly string[];
  readonly only?: string;
  readonly event?: string;
  readonly also?: Columns;
}

// Of a generated column, which follows those that it is made of.
const generated = "generated";
const changed = { version: "version + 1", update_time: ":now" };

// Columns that a checkout and its order share.
const snapshot = {
  url: "''",
  display_name: "''",
  contact: "'{}'",
  billing: "null",
  locale: "null",
  customer_type: "null",
  tax_identifiers: "'[]'",
  tax_certificates: "'[]'",
};

const eitherIndex = "(customer_id = :customerId and id is not null or customer_id = :customerId and id is null)";

/**
 * Every personal column of the schema, in the order in which an erasure goes through the tables: the customer is the
 * last, so that what is looked for by a value of it is found. The statements of an erasure are made from this; a column
 * that stands neither here nor in `impersonal` fails a test. A new table takes one
 * line here, such as `deleted("letters", { shown: ["subject", "body"], hidden: ["body_hash"] })`, and one in
 * `belongings.ts`.
 */
export const personal: readonly PersonalRows[] = [
  deleted("passwords", { hidden: ["hash"] }),
  // Valid tokens are revoked before, so that every replica hears of it.
  deleted("customer_tokens", { shown: ["method", "last4"], hidden: ["secret_hash"] }),
  deleted("customer_identities", { shown: ["issuer", "subject"] }),
  // The id of every resource but a payment method is drawn by the service. Of events those without a number are few, and
  // an index knows the others by their customer.
  cleared(
    "events",
    {},
    { resource_id: erasedToken("resource_id") },
    { only: `type like 'payment_method.%' and resource_id not like 'erased:%' and ${eitherIndex}` },
  ),
  cleared(
    "webhook_deliveries",
    {},
    { payload: `payload || jsonb_build_object('resourceId', ${erasedToken("payload->>'resourceId'")})` },
    {
      customer: ["payload->>'customerId'"],
      only: "event_type like 'payment_method.%' and payload->>'resourceId' not like 'erased:%'",
    },
  ),
  // The customer shows them.
  deleted("external_references", { hidden: ["name", "external_id"] }),
  deleted("photos", { shown: ["content_type", "content"], hidden: ["token"] }),
  deleted("addresses", { shown: addressColumns() }),
  deleted("tax_identifiers", { shown: ["value", "country", "state_transitions"] }),
  deleted("tax_certificates", {
    shown: ["company_name", "tax_authority", "start_date", "end_date", "content_type", "content"],
  }),
  // Where the settings let a detached token be attached again, it is gone before.
  cleared(
    "payment_methods",
    {
      id: "'erased:' || encode(token_key, 'hex')",
      brand: "''",
      last4: "'0000'",
      exp_month: "1",
      exp_year: "1970",
      label: "null",
      billing: "null",
    },
    {},
    {
      customer: belongings.payment_methods.owners,
      event: "payment_method.erased",
      also: {
        customer_id: "null",
        former_customer_id: "null",
        consume_time: "coalesce(consume_time, :now)",
        ...changed,
      },
    },
  ),
  cleared(
    "checkouts",
    { ...snapshot, shipping: "null", payment_method: "null" },
    { secret_hash: "null" },
    { event: "checkout.erased", also: changed },
  ),
  cleared(
    "orders",
    { ...snapshot, shipping: "'{}'", payment_method: "'{}'" },
    {},
    { event: "order.erased", also: { version: "version + 1" } },
  ),
  // After all rows that an answer may describe are locked. A change that takes no lock on the customer, such as a
  // cancellation of a checkout, has stored its answer by now, or reads what the erasure left.
  // A tombstone stays, so that a retry does not create the person again.
  cleared(
    "idempotency_keys",
    {},
    { request_hash: "null", response: "null" },
    { also: { customer_id: "null", resource_id: "null" } },
  ),
  cleared(
    "customers",
    clearedAs("personal"),
    { email_key: "null", search_text: generated, ...clearedAs("secret") },
    {
      customer: ["id"],
      event: "customer.erased",
      also: {
        ...clearedAs("impersonal"),
        request_to_be_forgotten: "true",
        purged: "true",
        purge_time: "null",
        delete_time: "coalesce(delete_time, :now)",
        ...changed,
      },
    },
  ),
];

// The columns of a customer, as its table of fields says.
function clearedAs(content: (typeof clearedColumns)[number]["content"]): Columns {
  const columns = clearedColumns.filter((column) => column.content === content);
  return Object.fromEntries(columns.map(({ column, value }) => [column, value]));
}

// The hash replaces a token that is not known by its hash yet.
function erasedToken(token: string): string {
  return `'erased:' || encode(token_key_of(${token}), 'hex')`;
}

// The texts of an address.
function addressColumns(): string[] {
  const names = ["label", "name", "first_name", "last_name", "organization", "phone", "email"];
  const place = ["line1", "line2", "city", "county", "state", "postal_code", "country"];
  return [...names, ...place, "instructions", "neighborhood", "division", "phonetic_name"];
}

// Rows that go.
function deleted(
  table: BelongingTable,
  { shown = [], hidden = [] }: { readonly shown?: readonly string[]; readonly hidden?: readonly string[] },
): PersonalRows {
  const { owners, deletion: event }: Belonging = belongings[table];
  return { table, customer: owners, only: undefined, event, cleared: undefined, also: {}, shown, hidden };
}

// Rows that stay, without the person: what becomes of the columns that are shown, and of those that are not.
function cleared(
  table: string,
  shown: Columns,
  hidden: Columns,
  { customer = ["customer_id"], only, event, also = {} }: RowOptions = {},
): PersonalRows {
  const names = { shown: Object.keys(shown), hidden: Object.keys(hidden) };
  const written = Object.entries({ ...shown, ...hidden }).filter(([, value]) => value !== generated);
  return { table, customer, only, event, cleared: Object.fromEntries(written), also, ...names };
}
