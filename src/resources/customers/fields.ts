import type { JsonObject } from "@bufbuild/protobuf";
import type { Customer } from "../../../gen/clientele/v1/customers_pb.js";
import { countryCode } from "../../formats/countries.js";
import { normalEmail } from "../../formats/emails.js";
import { canonicalToken } from "../../formats/payment-tokens.js";
import { normalPhone } from "../../formats/phones.js";
import type { Field } from "../../rpc/lists/filter-clause.js";
import type { OrderTerm } from "../../rpc/lists/order-by.js";
import type { TaxIdentifierRow } from "../tax-identifiers/store.js";

/**
 * The callers that may write a field. A secret key may write all but those of the server.
 *
 * - `shopper`: a shopper too, at sign-up and with a customer token.
 * - `shopper at sign-up`: later the shopper uses an RPC of its own, which asks for more.
 * - `shopper after sign-up`: it names something that a shopper has only after the sign-up.
 * - `merchant`: only the merchant, because it says something about the shopper.
 * - `merchant at create`: fixed from then on.
 * - `server`: nobody. Every caller may send it back as it was read.
 */
type Writer = "shopper" | "shopper at sign-up" | "shopper after sign-up" | "merchant" | "merchant at create" | "server";

/** One field of a customer. */
interface FieldRow {
  /** The column that stores it; null for a field that is computed or stored in another table. */
  readonly column: string | null;
  /**
   * The code that carries it between message and column: this table for `text` and `flag`, `convert.ts` for
   * `converted`, a step of its own for `separate` (`update.ts` names them), and `convert.ts`, one way, for `answered`.
   */
  readonly kind: "text" | "flag" | "converted" | "separate" | "answered";
  readonly writer: Writer;
  /** Present if a filter may name it. */
  readonly filter?: Field;
  /** Present if a list may be ordered by it. */
  readonly order?: Pick<OrderTerm, "nullable" | "isText">;
  /** The column after a purge or an erasure; absent if these leave the column alone or write it in their own way. */
  readonly cleared?: ClearedColumn;
  /** A flag's value at create if the request lacks it. */
  readonly initially?: boolean;
}

interface ClearedColumn {
  /** The value in SQL. */
  readonly value: string;
  /** `personal` and `secret` columns are named in the receipt; `personal` ones are exported to their person too. */
  readonly content: "personal" | "secret" | "impersonal";
}

const sorted = { order: { nullable: false } } as const;
const sortedText = { order: { nullable: true, isText: true } } as const;

/** Every field of the message Customer, in its order. A field that is missing here does not compile. */
export const customerFields = {
  id: { column: "id", kind: "separate", writer: "merchant at create", filter: { type: "text" }, ...sorted },
  email: text("email", "shopper", {
    filter: { type: "text", caseInsensitive: true, normal: normalEmail },
    ...sortedText,
  }),
  name: text("name", "shopper", sortedText),
  first_name: text("first_name", "shopper", sortedText),
  last_name: text("last_name", "shopper", sortedText),
  display_name: text("display_name", "shopper"),
  phone: text("phone", "shopper", { filter: { type: "text", normal: normalPhone } }),
  country: text("country", "shopper", { filter: { type: "text", normal: countryCode } }),
  country_name: { column: null, kind: "answered", writer: "server" },
  locale: text("locale", "shopper"),
  type: {
    column: "type",
    kind: "converted",
    writer: "shopper",
    filter: {
      type: "enum",
      values: {
        CUSTOMER_TYPE_INDIVIDUAL: "individual",
        CUSTOMER_TYPE_BUSINESS: "business",
        INDIVIDUAL: "individual",
        BUSINESS: "business",
      },
    },
    cleared: personal("null"),
  },
  enabled: flag("enabled", "merchant", { initially: true }),
  tax_exempt: flag("tax_exempt", "merchant"),
  live_mode: { column: null, kind: "answered", writer: "server" },
  photo_url: {
    column: "photo_token",
    kind: "answered",
    writer: "server",
    cleared: { value: "null", content: "secret" },
  },
  metadata: {
    column: "metadata",
    kind: "converted",
    writer: "merchant",
    filter: { type: "map" },
    cleared: personal("'{}'"),
  },
  // A filter or an order names one by its slug: see `list-fields.ts`.
  custom_fields: { column: "custom_fields", kind: "converted", writer: "shopper", cleared: personal("'{}'") },
  external_references: {
    column: "external_references",
    kind: "converted",
    writer: "merchant",
    cleared: personal("'[]'"),
  },
  shipping: { column: null, kind: "separate", writer: "shopper" },
  default_address_id: text("default_address_id", "shopper after sign-up"),
  default_billing_address_id: text("default_billing_address_id", "shopper after sign-up"),
  default_payment_method_id: text("default_payment_method_id", "shopper after sign-up", {
    filter: { type: "text", normal: canonicalToken },
  }),
  password: { column: null, kind: "separate", writer: "shopper at sign-up" },
  has_password: {
    column: "password_id",
    kind: "answered",
    writer: "server",
    cleared: { value: "null", content: "secret" },
  },
  tax_identifiers: { column: null, kind: "answered", writer: "server" },
  // Its erasure sets it.
  request_to_be_forgotten: {
    column: "request_to_be_forgotten",
    kind: "separate",
    writer: "merchant",
    filter: { type: "boolean" },
  },
  state: { column: null, kind: "answered", writer: "server" },
  create_time: time("create_time", sorted),
  update_time: time("update_time", sorted),
  delete_time: time("delete_time"),
  purge_time: time("purge_time"),
  etag: { column: "version", kind: "answered", writer: "server" },
} as const satisfies Record<CustomerField, FieldRow>;

/** A field of the message Customer, by its name in the proto. */
export type CustomerField = SnakeCase<Exclude<keyof Customer, "$typeName" | "$unknown">>;

type SnakeCase<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : Name;

type Table = typeof customerFields;
type ColumnOf<Kind extends FieldRow["kind"]> = {
  [Name in CustomerField]: Table[Name] extends { kind: Kind; column: infer Column extends string } ? Column : never;
}[CustomerField];

// The columns that no field of the message shows.
const hiddenColumns = ["tenant_id", "email_key", "purged"] as const;
type OtherColumn = ColumnOf<"converted" | "separate" | "answered"> | (typeof hiddenColumns)[number];

// The values of the columns that are neither texts nor flags of the table.
interface OtherValues {
  tenant_id: string;
  id: string;
  email_key: Buffer | null;
  type: string | null;
  metadata: JsonObject;
  /** By the ids of their definitions. */
  custom_fields: JsonObject;
  external_references: ExternalReferenceColumns[];
  photo_token: string | null;
  password_id: string | null;
  request_to_be_forgotten: boolean;
  version: number;
  create_time: Date;
  update_time: Date;
  delete_time: Date | null;
  purge_time: Date | null;
  purged: boolean;
}

/** The id of a customer in another system. */
export interface ExternalReferenceColumns {
  readonly name: string;
  readonly id: string;
}

/** The columns that the table alone converts. */
export type PlainColumns = Record<ColumnOf<"text">, string | null> & Record<ColumnOf<"flag">, boolean>;

export interface CustomerRow extends PlainColumns, Pick<OtherValues, OtherColumn> {
  /** The tax identifiers that it shows; null for none, absent where they were not read. */
  tax_identifiers?: TaxIdentifierRow[] | null;
}

/** The columns that a client writes, except those of kind `separate`. */
export type CustomerColumns = Pick<CustomerRow, ColumnOf<"text" | "flag" | "converted">>;

const rows: readonly (FieldRow & { readonly name: CustomerField })[] = Object.entries(customerFields).map(
  ([name, row]) => ({ name: name as CustomerField, ...row }),
);

/** The columns to read, without those that only searches use. */
export const columnNames = [...hiddenColumns, ...rows.flatMap(({ column }) => column ?? [])] as (keyof CustomerRow)[];

/** The columns that a client writes, except those of kind `separate`. */
export const clientColumns = rows.flatMap(({ kind, column }) =>
  kind === "text" || kind === "flag" || kind === "converted" ? (column ?? []) : [],
) as (keyof CustomerColumns)[];

/** The fields that the table alone converts, with their columns. */
export const plainFields = rows.filter(({ kind }) => kind === "text" || kind === "flag") as readonly (FieldRow & {
  readonly name: CustomerField;
  readonly column: keyof PlainColumns;
})[];

/** The fields that an update mask may name; the password apart, which `passwords/rules.ts` takes out of the request. */
export const writableFields = writtenBy("shopper", "shopper after sign-up", "merchant");
/** The fields that a shopper may write at sign-up. */
export const signUpFields = writtenBy("shopper", "shopper at sign-up");
/** The fields that a customer token may write. */
export const shopperFields = writtenBy("shopper", "shopper after sign-up");

/** The columns that a purge and an erasure clear, each with its value. */
export const clearedColumns = rows.flatMap(({ column, cleared }) => (cleared && column ? { column, ...cleared } : []));

/** The fields that a filter may name; custom fields apart. */
export const filterable = Object.fromEntries(rows.flatMap(({ name, filter }) => (filter ? [[name, filter]] : [])));
/** The fields that a list may be ordered by; custom fields apart. */
export const orderable = Object.fromEntries(rows.flatMap(({ name, order }) => (order ? [[name, order]] : [])));

function writtenBy(...writers: readonly Writer[]): readonly CustomerField[] {
  return rows.filter(({ writer }) => writers.includes(writer)).map(({ name }) => name);
}

// An optional string of the message in a nullable column of its name.
function text<const Name extends string>(column: Name, writer: Writer, more: Pick<FieldRow, "filter" | "order"> = {}) {
  return { column, kind: "text", writer, filter: { type: "text" }, cleared: personal("null"), ...more } as const;
}

// An optional bool of the message in a column of its name.
function flag<const Name extends string>(column: Name, writer: Writer, { initially = false } = {}) {
  const cleared = { value: "false", content: "impersonal" } as const;
  return { column, kind: "flag", writer, filter: { type: "boolean" }, cleared, initially } as const;
}

function time<const Name extends string>(column: Name, more: Pick<FieldRow, "order"> = {}) {
  return { column, kind: "answered", writer: "server", filter: { type: "timestamp" }, ...more } as const;
}

function personal(value: string): ClearedColumn {
  return { value, content: "personal" };
}
