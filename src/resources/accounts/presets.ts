import { create } from "@bufbuild/protobuf";
import {
  type AccountSettings,
  AccountSettingsSchema,
  DefaultPhoto,
  DeletionMode,
  EmailMutability,
  EmailUniqueness,
  PaymentMethodAttachment,
  PaymentMethodDetachment,
  SearchNoMatch,
  SettingsPreset,
} from "../../../gen/clientele/v1/accounts_pb.js";

const days = (count: number) => ({ seconds: BigInt(count * 24 * 60 * 60) });

type Init = Exclude<
  Parameters<typeof create<typeof AccountSettingsSchema>>[1],
  { readonly $typeName: string } | undefined
>;

const open = {
  requiredCustomerFields: ["email"],
  emailUniqueness: EmailUniqueness.UNIQUE,
  emailMutability: EmailMutability.MUTABLE,
  emailReusableAfterDelete: true,
  clientAssignedIds: true,
  deletion: { mode: DeletionMode.SOFT, purgeAfter: days(30) },
  maxAddressesPerCustomer: 0,
  allowedCountries: [],
  requiredAddressFields: ["line1", "city", "country"],
  paymentMethodAttachment: PaymentMethodAttachment.ANY,
  paymentMethodDetachment: PaymentMethodDetachment.CONSUME,
  firstAddressBecomesDefault: true,
  firstPaymentMethodBecomesDefault: true,
  metadataLimits: { maxBytes: 10_240, maxKeys: 50, maxKeyLength: 40 },
  searchNoMatch: SearchNoMatch.EMPTY,
  erasureDelay: days(0),
  checkoutLifetime: days(1),
  defaultPhoto: DefaultPhoto.NONE,
} satisfies Init;

// The settings in which each product differs from OPEN.
const differences: Readonly<Record<SettingsPreset, Init>> = {
  [SettingsPreset.UNSPECIFIED]: {},
  [SettingsPreset.OPEN]: {},
  [SettingsPreset.SIMPLE_CHECKOUT]: {
    emailMutability: EmailMutability.IMMUTABLE,
    clientAssignedIds: false,
    deletion: { mode: DeletionMode.SOFT },
    allowedCountries: ["US"],
    requiredAddressFields: ["line1", "city", "state", "postal_code", "country"],
    paymentMethodAttachment: PaymentMethodAttachment.IMPLICIT,
    paymentMethodDetachment: PaymentMethodDetachment.REMOVE,
    firstAddressBecomesDefault: false,
    firstPaymentMethodBecomesDefault: false,
    metadataLimits: { maxBytes: 10_240 },
  },
  [SettingsPreset.DIGITAL_RIVER]: {
    requiredCustomerFields: [],
    emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED,
    deletion: { mode: DeletionMode.PERMANENT },
    requiredAddressFields: [],
    paymentMethodAttachment: PaymentMethodAttachment.EXPLICIT,
    firstAddressBecomesDefault: false,
    metadataLimits: { maxKeys: 20, maxKeyLength: 40, maxValueLength: 500 },
    erasureDelay: days(30),
  },
  [SettingsPreset.FOUR_GEEKS]: {
    requiredCustomerFields: ["first_name", "last_name", "email"],
    clientAssignedIds: false,
    deletion: { mode: DeletionMode.PERMANENT },
    maxAddressesPerCustomer: 3,
    requiredAddressFields: [],
    paymentMethodDetachment: PaymentMethodDetachment.REMOVE,
    firstAddressBecomesDefault: false,
    firstPaymentMethodBecomesDefault: false,
    metadataLimits: { maxBytes: 10_240 },
    searchNoMatch: SearchNoMatch.NOT_FOUND,
    defaultPhoto: DefaultPhoto.LIBRAVATAR,
  },
  [SettingsPreset.ELASTIC_PATH]: {
    requiredCustomerFields: ["name", "email"],
    emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED,
    clientAssignedIds: false,
    deletion: { mode: DeletionMode.PERMANENT },
    requiredAddressFields: ["first_name", "last_name", "line1", "state", "postal_code", "country"],
    paymentMethodDetachment: PaymentMethodDetachment.REMOVE,
    firstAddressBecomesDefault: false,
    firstPaymentMethodBecomesDefault: false,
    metadataLimits: { maxBytes: 10_240 },
  },
};

/** The settings of a preset, every one filled. */
export function presetSettings(preset: SettingsPreset): AccountSettings {
  return create(AccountSettingsSchema, { ...open, ...differences[preset], preset });
}
