import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import type { AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { createAddress } from "../../support/addresses.js";
import { useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";

const clientele = useClientele();

// Whether the settings of a preset require parts of the place, each of which is then named as missing.
const presets = [
  { preset: SettingsPreset.OPEN, requiresPlace: true },
  { preset: SettingsPreset.SIMPLE_CHECKOUT, requiresPlace: true },
  { preset: SettingsPreset.DIGITAL_RIVER, requiresPlace: false },
  { preset: SettingsPreset.FOUR_GEEKS, requiresPlace: false },
  { preset: SettingsPreset.ELASTIC_PATH, requiresPlace: true },
];

const blank = { address: "Enter a place: a street, a city, a postal code or a country." };
const placeless: MessageInitShape<typeof AddressSchema>[] = [
  {},
  { name: "Ada Lovelace", phone: "713 555 0100" },
  { label: "Home", organization: "Engines", instructions: "Ring twice" },
  { line1: " ", city: "" },
];

test.for(presets)(
  "an address without a place is no address under preset $preset",
  async ({ preset, requiresPlace }) => {
    const { test: own } = await clientele.createAccount(preset);
    const { id: customerId } = await createCustomer(own);
    for (const address of placeless) {
      const { code, fields } = await failureOf(own.addresses.createAddress({ customerId, address }));
      expect(code).toBe("InvalidArgument");
      if (!requiresPlace) expect(fields).toEqual(blank);
    }
    if (requiresPlace) return;
    const { id } = await createAddress(own, customerId);
    const updateMask = { paths: ["*"] };
    const cleared = own.addresses.updateAddress({ customerId, address: { id, name: "Ada" }, updateMask });
    expect((await failureOf(cleared)).fields).toEqual(blank);
  },
);
