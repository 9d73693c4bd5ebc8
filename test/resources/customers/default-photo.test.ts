import { expect, test } from "vitest";
import { DefaultPhoto, SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer, newEmail } from "../../support/customers.js";
import { changeSettings } from "../../support/settings.js";
import { ways } from "../../support/ways.js";

const clientele = useClientele();
const { LIBRAVATAR, NONE } = DefaultPhoto;
const { getCustomer: method } = CustomerService.method;
const direct = ways.filter(({ name }) => name !== "buf curl, Connect");

test.for(direct)("only FOUR_GEEKS shows a picture of an avatar host: $name", async ({ open }) => {
  for (const preset of Object.values(SettingsPreset).filter((value) => typeof value === "number" && value > 0)) {
    const account = await clientele.createAccount(preset as SettingsPreset);
    const { id } = await createCustomer(account.test);
    const answer = await open(clientele, account.testKey)(method, { id });
    const { photoUrl = "" } = Object(answer).customer;
    const wanted = preset === SettingsPreset.FOUR_GEEKS ? /libravatar/ : /^$/;
    expect(photoUrl, SettingsPreset[preset as number]!).toMatch(wanted);
  }
});

test("default_photo decides of every customer from the change on", async () => {
  const { test: clients } = await clientele.createAccount();
  const { id, photoUrl } = await createCustomer(clients, { email: newEmail() });
  expect(photoUrl).toBe("");
  await changeSettings(clients, { defaultPhoto: LIBRAVATAR });
  expect((await getCustomer(clients, id)).photoUrl).toMatch(/^https:\/\/seccdn\.libravatar\.org\/avatar\/[0-9a-f]{32}/);
  await changeSettings(clients, { defaultPhoto: NONE });
  expect((await getCustomer(clients, id)).photoUrl).toBe("");
});
