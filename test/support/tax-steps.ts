import { TaxIdentifierService } from "../../gen/clientele/v1/tax_identifiers_pb.js";
import { idOf, type Step } from "./journey.js";

interface Kept {
  readonly customer: string;
  readonly taxIdentifier: string;
}

const { attachTaxIdentifier, createTaxIdentifier, getTaxIdentifier, listTaxIdentifiers } = TaxIdentifierService.method;
const german = { type: "de_vat", value: "DE 136,695 976" };

/** The merchant's steps before a tax identifier is verified. */
export const taxStepsBefore: readonly Step<Kept>[] = [
  {
    name: "a tax identifier with a wrong check digit is refused",
    method: createTaxIdentifier,
    ask: () => ({ taxIdentifier: { type: "de_vat", value: "DE136695977" } }),
    refused: { code: "InvalidArgument", reason: "FIELDS_INVALID" },
  },
  {
    name: "a tax identifier is made, and is pending",
    method: createTaxIdentifier,
    ask: () => ({ taxIdentifier: german }),
    want: () => ({
      taxIdentifier: { type: "de_vat", value: "136695976", country: "DE", state: "TAX_IDENTIFIER_STATE_PENDING" },
    }),
    keep: ({ taxIdentifier }) => ({ taxIdentifier: idOf(taxIdentifier) }),
  },
  {
    name: "it is attached to the customer",
    method: attachTaxIdentifier,
    ask: ({ customer, taxIdentifier }) => ({ customerId: customer, id: taxIdentifier }),
    want: ({ customer, taxIdentifier }) => ({ taxIdentifier: { id: taxIdentifier, customerId: customer } }),
  },
];

/** The merchant's steps after the verification. */
export const taxStepsAfter: readonly Step<Kept>[] = [
  {
    name: "it is verified",
    method: getTaxIdentifier,
    ask: ({ taxIdentifier }) => ({ id: taxIdentifier }),
    want: () => ({
      taxIdentifier: {
        state: "TAX_IDENTIFIER_STATE_VERIFIED",
        stateTransitions: [{ state: "TAX_IDENTIFIER_STATE_PENDING" }, { state: "TAX_IDENTIFIER_STATE_VERIFIED" }],
      },
    }),
  },
  {
    name: "a second of the type is refused",
    method: createTaxIdentifier,
    ask: ({ customer }) => ({ customerId: customer, taxIdentifier: german }),
    refused: { code: "AlreadyExists", reason: "TAX_IDENTIFIER_TYPE_TAKEN" },
  },
  {
    name: "one of another type is not",
    method: createTaxIdentifier,
    ask: ({ customer }) => ({ customerId: customer, taxIdentifier: { type: "gb_vat", value: "GB980780684" } }),
    want: () => ({ taxIdentifier: { state: "TAX_IDENTIFIER_STATE_PENDING" } }),
  },
  {
    name: "both are listed",
    method: listTaxIdentifiers,
    ask: ({ customer }) => ({ customerId: customer }),
    want: ({ taxIdentifier }) => ({ taxIdentifiers: [{ type: "gb_vat" }, { id: taxIdentifier }] }),
  },
];
