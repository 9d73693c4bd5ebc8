import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { build, type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ApiKeyKind } from "../../gen/clientele/v1/api_keys_pb.js";
import { CustomFieldType } from "../../gen/clientele/v1/custom_fields_pb.js";
import { type Clients, useClientele } from "../support/clientele.js";

const configFile = "examples/shopper/vite.config.ts";
const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";

let clients: Clients;
let outDir: string;
let server: PreviewServer;
let browser: Browser;
let origin: string;

// The page as a merchant serves it: built, static, and from another origin than the service's.
const clientele = useClientele();
beforeAll(async () => {
  const account = await clientele.createAccount();
  clients = account.test;
  const { secret } = await clients.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.PUBLISHABLE } });
  outDir = await mkdtemp(join(tmpdir(), "clientele-page-"));
  const define = {
    "import.meta.env.VITE_CLIENTELE_URL": JSON.stringify(clientele.httpUrl),
    "import.meta.env.VITE_CLIENTELE_KEY": JSON.stringify(secret),
  };
  await build({ configFile, logLevel: "warn", define, build: { outDir } });
  server = await preview({ configFile, logLevel: "warn", build: { outDir }, preview: { host: "127.0.0.1", port: 0 } });
  origin = new URL(server.resolvedUrls!.local[0]!).origin;
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await rm(outDir, { recursive: true, force: true });
});

/** A page in a browser that knows nothing, and what goes wrong in it. */
async function openPage(): Promise<{ page: Page; problems: string[] }> {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(10_000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(origin);
  return { page, problems };
}

test("a page of an origin that the merchant does not list learns nothing", async () => {
  const { page } = await openPage();
  await page.getByRole("alert").waitFor();
  expect(await page.getByRole("form").count()).toBe(0);
});

test("a shopper signs up, keeps a profile and addresses, and sees payment methods and orders", async () => {
  await clients.accounts.updateAccountSettings({ settings: { allowedOrigins: [origin] } });
  const customField = { slug: "size", name: "Shirt size", type: CustomFieldType.STRING, writableByCustomer: true };
  const rules = [{ kind: { case: "stringEnum" as const, value: { values: ["S", "M", "L"] } } }];
  await clients.customFields.createCustomField({ customField: { ...customField, rules } });
  const { page, problems } = await openPage();

  const signUp = page.getByRole("form", { name: "Sign up" });
  await signUp.getByLabel("Email", { exact: true }).fill("ada@example.com");
  await signUp.getByLabel("First name", { exact: true }).fill("Ada");
  await signUp.getByLabel("Shirt size", { exact: true }).selectOption("M");
  await signUp.getByLabel("Password", { exact: true }).fill("correct horse");
  await signUp.getByRole("button").click();
  await page.getByText("Signed in as ada@example.com").waitFor();
  const { customers } = await clients.customers.listCustomers({ filter: "eq(email,ada@example.com)" });
  const [customer] = customers;
  expect(customer).toMatchObject({ firstName: "Ada", customFields: { size: "M" }, hasPassword: true });

  const profile = page.getByRole("form", { name: "Profile" });
  await profile.getByLabel("Last name", { exact: true }).fill("Lovelace");
  await profile.getByLabel("Shirt size", { exact: true }).selectOption("L");
  await profile.getByRole("button", { name: "Save" }).click();
  await profile.getByText("Saved.").waitFor();
  const saved = await clients.customers.getCustomer({ id: customer!.id });
  expect(saved.customer).toMatchObject({ firstName: "Ada", lastName: "Lovelace", customFields: { size: "L" } });

  const addresses = page.getByRole("region", { name: "Addresses" });
  await addresses.getByText("New address").click();
  const added = addresses.getByRole("form", { name: "New address" });
  await added.getByLabel("Line 1", { exact: true }).fill("123 Main St");
  await added.getByLabel("City", { exact: true }).fill("Austin");
  await added.getByLabel("Country", { exact: true }).selectOption({ label: "United States" });
  await added.getByLabel("State", { exact: true }).selectOption("TX");
  await added.getByLabel("Postal code", { exact: true }).fill("10001");
  await added.getByRole("button").click();
  // A postal code of New York: the page does not know, the service does, and says so beside the field.
  await added
    .getByLabel("Postal code", { exact: true })
    .locator("..")
    .getByRole("alert")
    .filter({ hasText: /\w/ })
    .waitFor();
  await added.getByLabel("Postal code", { exact: true }).fill("78701");
  await added.getByRole("button").click();
  await addresses.getByText("123 Main St, Austin, TX, 78701, US").waitFor();

  const customerId = customer!.id;
  await clients.paymentMethods.setDefaultPaymentMethod({ customerId, id: "cct_sandbox_shopper" });
  const { checkout } = await clients.checkouts.createCheckout({
    checkout: { url: "https://shop.example", customerId },
  });
  const { order } = await clients.orders.createOrder({ checkoutId: checkout!.id });
  await page.reload();
  await page.getByRole("region", { name: "Orders" }).getByText(order!.id).waitFor();
  const cards = page.getByRole("region", { name: "Payment methods" });
  await cards.getByText(`…${order!.paymentMethod!.card!.last4}`).waitFor();
  await cards.getByRole("button", { name: "Remove" }).click();
  await cards.getByText("None yet.").waitFor();

  await page.getByRole("button", { name: "Sign out" }).click();
  const signIn = page.getByRole("form", { name: "Sign in" });
  await signIn.getByLabel("Email", { exact: true }).fill("ADA@example.com");
  await signIn.getByLabel("Password", { exact: true }).fill("wrong horse");
  await signIn.getByRole("button").click();
  await signIn.getByRole("status").filter({ hasText: /\w/ }).waitFor();
  await signIn.getByLabel("Password", { exact: true }).fill("correct horse");
  await signIn.getByRole("button").click();
  await addresses.getByRole("listitem").filter({ hasText: "123 Main St" }).waitFor();
  // The browser notes a status of 4xx by itself: the refused postal code, and the wrong password.
  expect(problems.filter((problem) => !/status of 4\d\d/.test(problem))).toEqual([]);
});

test("a button whose action is impossible says why", async () => {
  const { page, problems } = await openPage();
  const signUp = page.getByRole("form", { name: "Sign up" });
  await signUp.getByLabel("Email", { exact: true }).fill("bea@example.com");
  await signUp.getByLabel("Password", { exact: true }).fill("correct horse");
  await signUp.getByRole("button").click();
  await page.getByText("Signed in as bea@example.com").waitFor();
  const { customers } = await clients.customers.listCustomers({ filter: "eq(email,bea@example.com)" });
  const customerId = customers[0]!.id;
  const address = { line1: "1 Main St", city: "Austin", country: "US" };
  const { address: kept } = await clients.addresses.createAddress({ customerId, address });
  await page.reload();
  const addresses = page.getByRole("region", { name: "Addresses" });
  await addresses.getByText("1 Main St").first().waitFor();
  await clients.addresses.deleteAddress({ customerId, id: kept!.id });
  await addresses.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("alert").filter({ hasText: "could not be found" }).waitFor();
  expect(problems.filter((problem) => !/status of 4\d\d/.test(problem))).toEqual([]);
});

test.for([
  { name: "loads the page", act: (page: Page) => page.reload() },
  {
    name: "presses a button",
    act: (page: Page) => page.getByRole("form", { name: "Profile" }).getByRole("button", { name: "Save" }).click(),
  },
])("a shopper whose tokens are revoked and who $name is asked to sign in again", async ({ name, act }) => {
  const { page } = await openPage();
  const email = `${name.replaceAll(" ", "-")}@example.com`;
  const signUp = page.getByRole("form", { name: "Sign up" });
  await signUp.getByLabel("Email", { exact: true }).fill(email);
  await signUp.getByLabel("Password", { exact: true }).fill("correct horse");
  await signUp.getByRole("button").click();
  await page.getByText(`Signed in as ${email}`).waitFor();
  const { customers } = await clients.customers.listCustomers({ filter: `eq(email,${email})` });
  await clients.customerTokens.revokeAllCustomerTokens({ customerId: customers[0]!.id });
  await act(page);
  await page.getByRole("form", { name: "Sign in" }).waitFor();
});
