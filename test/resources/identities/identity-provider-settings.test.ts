import { describe, expect, test } from "vitest";
import { useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";

const clientele = useClientele(
  {},
  { CLIENTELE_PRIVATE_IDENTITY_PROVIDERS: "true", CLIENTELE_DENIED_NETWORKS: "192.0.2.0/24" },
);

describe("the identity providers of the settings", () => {
  const set = async (...identityProviders: object[]) =>
    (await clientele.createAccount()).test.accounts.updateAccountSettings({ settings: { identityProviders } });
  const valid = { name: "home", issuer: "https://accounts.example", clientId: "shop" };

  test.for([
    "https://accounts.example",
    "https://login.example/tenant/v2.0",
    "https://login.example/a/",
    "http://localhost:4000",
  ])("may be %s", async (issuer) => {
    const { settings } = await set({ ...valid, issuer });
    expect(settings!.identityProviders).toMatchObject([{ ...valid, issuer }]);
  });

  test.for([
    "",
    "accounts.example",
    "http://accounts.example",
    "https://a.example?x=1",
    "https://a.example#x",
    "https://u@a.example",
    "https://A.example",
    "ftp://a.example",
  ])("may not be '%s'", async (issuer) => {
    const { fields } = await failureOf(set({ ...valid, issuer }));
    expect(fields).toEqual({
      "settings.identity_providers[0].issuer": "must be an address such as https://accounts.example",
    });
  });

  test("have names of their own, and are ten at most", async () => {
    const { fields } = await failureOf(set(valid, { ...valid, clientId: "other" }));
    expect(fields).toEqual({ "settings.identity_providers[1].name": "must be its own" });
    const many = Array.from({ length: 11 }, (_, index) => ({ ...valid, name: `p${index}` }));
    expect(await failureOf(set(...many))).toMatchObject({ reason: "FIELDS_INVALID" });
    for (const name of ["", "Home", "a b", "x".repeat(64)]) {
      expect(await failureOf(set({ ...valid, name }))).toMatchObject({ reason: "FIELDS_INVALID" });
    }
    expect(await failureOf(set({ ...valid, clientId: "" }))).toMatchObject({ reason: "FIELDS_INVALID" });
  });

  test.for(["https://192.0.2.1", "https://168.63.129.16"])("may not be in a denied network: %s", async (issuer) => {
    const { fields } = await failureOf(set({ ...valid, issuer }));
    expect(fields).toEqual({
      "settings.identity_providers[0].issuer": "must not lead to a private network",
    });
  });
});

describe("where identity providers must be public", () => {
  const strict = useClientele();

  test.for([
    ["https://10.0.0.1", "must not lead to a private network"],
    ["https://[::1]", "must not lead to a private network"],
    ["https://169.254.169.254", "must not lead to a private network"],
    ["http://localhost:4000", "must begin with https://"],
  ] as const)("an issuer may not be %s", async ([issuer, problem]) => {
    const { test: clients } = await strict.createAccount();
    const update = clients.accounts.updateAccountSettings({
      settings: { identityProviders: [{ name: "home", issuer, clientId: "shop" }] },
    });
    expect((await failureOf(update)).fields).toEqual({ "settings.identity_providers[0].issuer": problem });
  });
});
