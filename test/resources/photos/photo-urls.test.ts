import { once } from "node:events";
import { connect } from "node:http2";
import { beforeAll, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import type { Customer } from "../../../gen/clientele/v1/customers_pb.js";
import { createSettingsReader } from "../../../src/resources/accounts/settings.js";
import { purgeDueCustomers } from "../../../src/resources/privacy/purge.js";
import { createLogger } from "../../../src/rpc/log.js";
import { type Clients, startClientele, type TestAccount, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { maxPhotoBytes, plain, pngOf } from "../../support/images.js";
import { formOf, formPoster, uploadByCall } from "../../support/photos.js";

let account: TestAccount;
let clients: Clients;
const clientele = useClientele();
beforeAll(async () => {
  account = await clientele.createAccount();
  clients = account.test;
});

const byCall = (customerId: string, content: Buffer) => uploadByCall(clients, customerId, content);
const byForm = (customerId: string, content: Buffer) =>
  formPoster(clientele, account).post(customerId, formOf(content));

describe("the URL of a photo", () => {
  test("answers 304 to a client with its etag, and a HEAD without the picture", async () => {
    const { photoUrl } = await byCall((await createCustomer(clients)).id, await plain("png"));
    const first = await fetch(photoUrl);
    const etag = first.headers.get("etag")!;
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const again = await fetch(photoUrl, { headers: { "if-none-match": known } });
      expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", etag]);
    }
    expect((await fetch(photoUrl, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
    const head = await fetch(photoUrl, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    for (const name of ["etag", "content-type", "content-length"]) {
      expect(head.headers.get(name)).toBe(first.headers.get(name));
    }
  });

  test("is 404 for everything else", async () => {
    const { photoUrl } = await byCall((await createCustomer(clients)).id, await plain("png"));
    const other = photoUrl.endsWith("0") ? "1" : "0";
    const live = (await byCallOf(account.live)).photoUrl;
    const swapped = photoUrl.replace(/\w{26}(?=\.)/, /\w{26}(?=\.)/.exec(live)![0]);
    const wrong = [`${photoUrl.slice(0, -1)}${other}`, `${photoUrl}/`, `${photoUrl}0`, photoUrl.slice(0, -1), swapped];
    for (const url of [...wrong, `${clientele.httpUrl}/photos/`, `${clientele.httpUrl}/photos/%00.%00`]) {
      expect((await fetch(url)).status, url).toBe(404);
      expect((await fetch(url, { headers: { "if-none-match": "*" } })).status, url).toBe(404);
    }
    for (const method of ["POST", "PUT", "DELETE"]) expect((await fetch(photoUrl, { method })).status).toBe(404);
  });

  test("ends with the photo, at once, when it is replaced or deleted", async () => {
    const { id } = await createCustomer(clients);
    const png = await plain("png");
    const first = (await byCall(id, png)).photoUrl;
    const second = (await byCall(id, png)).photoUrl;
    expect(second).not.toBe(first);
    expect([(await fetch(first)).status, (await fetch(second)).status]).toEqual([404, 200]);
    const { customer } = await clients.photos.deletePhoto({ customerId: id });
    expect(customer!.photoUrl).toBe("");
    expect((await getCustomer(clients, id)).photoUrl).toBe("");
    expect((await fetch(second)).status).toBe(404);
    expect(await failureOf(clients.photos.deletePhoto({ customerId: id }))).toMatchObject({
      reason: "RESOURCE_NOT_FOUND",
      message: "The photo could not be found, please check the id.",
    });
  });

  test("is answered also to a client that reads others slowly on the same connection", async () => {
    const { photoUrl } = await byCall((await createCustomer(clients)).id, await pngOf(maxPhotoBytes));
    const session = connect(clientele.httpUrl);
    const get = (method: string) => session.request({ ":method": method, ":path": new URL(photoUrl).pathname });
    try {
      const unread = Array.from({ length: 6 }, () => get("GET").pause());
      const statuses = await Promise.all(unread.map(async (stream) => (await once(stream, "response"))[0][":status"]));
      expect(statuses).toEqual(Array(6).fill(200));
      expect((await once(get("HEAD"), "response"))[0][":status"]).toBe(200);
    } finally {
      session.destroy();
    }
  });

  test("begins as the configuration says", async () => {
    const environment = { CLIENTELE_PUBLIC_URL: "https://api.shop.example/clientele/" };
    await using other = await startClientele({}, environment);
    const { test: own } = await other.createAccount();
    expect((await byCallOf(own)).photoUrl).toMatch(/^https:\/\/api\.shop\.example\/clientele\/photos\/\w{26}\.\w{32}$/);
  });

  async function byCallOf(of: Clients): Promise<Customer> {
    const { id: customerId } = await createCustomer(of);
    return (await of.photos.uploadPhoto({ customerId, content: await plain("png") })).customer!;
  }
});

describe("the customer", () => {
  test("changes with its photo: a new etag, and one event for each of the two", async () => {
    const { id, etag } = await createCustomer(clients);
    const png = await plain("png");
    const uploaded = await byCall(id, png);
    expect(uploaded.etag).not.toBe(etag);
    await byCall(id, png);
    await clients.photos.deletePhoto({ customerId: id });
    const events = await clientele.db("events").where({ customer_id: id }).orderBy("position").offset(1);
    const told = events.map(({ type, changed_paths: paths }) => `${type} ${paths.join()}`);
    const replaced = ["photo.uploaded content", "customer.updated photo_url"];
    expect(told).toEqual([...replaced, ...replaced, "photo.deleted ", "customer.updated photo_url"]);
    expect(new Set(events.filter(({ type }) => type.startsWith("photo.")).map((one) => one.resource_id)).size).toBe(1);
  });

  test("shows its photo wherever it is shown, and keeps it when it changes", async () => {
    const { id, email } = await createCustomer(clients);
    const { photoUrl, etag } = await byCall(id, await plain("png"));
    const { customer: updated } = await clients.customers.updateCustomer({ customer: { id, name: "New", etag } });
    const { customers: batch } = await clients.customers.batchGetCustomers({ ids: [id] });
    const { customers: listed } = await clients.customers.listCustomers({ filter: `eq(email,${email})` });
    const { customer: found } = await clients.customers.getOrCreateCustomer({ customer: { email: email! } });
    const { customers: searched } = await clients.customers.searchCustomers({ query: email! });
    for (const one of [updated!, ...batch, ...listed, found!, ...searched]) expect(one.photoUrl).toBe(photoUrl);
    expect([batch, listed, searched].map(({ length }) => length)).toEqual([1, 1, 1]);
  });

  test("is asked for its etag, and a stale one changes nothing", async () => {
    const { id: customerId, etag } = await createCustomer(clients);
    const content = await plain("png");
    const { customer } = await clients.photos.uploadPhoto({ customerId, content, etag });
    const stale = { code: "Aborted", reason: "ETAG_STALE" };
    expect(await failureOf(clients.photos.uploadPhoto({ customerId, content, etag }))).toMatchObject(stale);
    expect(await failureOf(clients.photos.deletePhoto({ customerId, etag }))).toMatchObject(stale);
    expect((await fetch(customer!.photoUrl)).status).toBe(200);
    await clients.photos.deletePhoto({ customerId, etag: customer!.etag });
  });

  test("must be there, and one's own", async () => {
    const { id } = await createCustomer(account.live);
    const [png, gif] = [await plain("png"), await plain("gif")];
    const notFound = { code: "NotFound", message: "The customer could not be found, please check the id." };
    for (const customerId of [id, "cus_absent"]) {
      expect(await failureOf(byCall(customerId, png))).toMatchObject(notFound);
      expect(await failureOf(byForm(customerId, png))).toMatchObject(notFound);
      expect(await failureOf(byCall(customerId, gif))).toMatchObject({ reason: "PHOTO_INVALID" });
      expect(await failureOf(clients.photos.deletePhoto({ customerId }))).toMatchObject(notFound);
    }
  });

  test("keeps its photo when it is softly deleted, and loses it when it is purged", async () => {
    const { id } = await createCustomer(clients);
    const { photoUrl } = await byCall(id, await plain("png"));
    const { customer } = await clients.customers.deleteCustomer({ id });
    expect([customer!.photoUrl, (await fetch(photoUrl)).status]).toEqual([photoUrl, 200]);
    const deleted = { code: "FailedPrecondition", reason: "CUSTOMER_DELETED" };
    expect(await failureOf(byCall(id, await plain("png")))).toMatchObject(deleted);
    expect(await failureOf(clients.photos.deletePhoto({ customerId: id }))).toMatchObject(deleted);
    const later = () => new Date(Date.now() + 31 * 24 * 60 * 60 * 1000);
    const settings = createSettingsReader(clientele.db);
    await purgeDueCustomers({ db: clientele.db, clock: later, settings, logger: createLogger("silent") });
    expect((await fetch(photoUrl)).status).toBe(404);
    expect(await clientele.db("photos").where({ customer_id: id })).toEqual([]);
  });

  test("takes its photo with it when it is deleted for good", async () => {
    const { test: own } = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
    const { id } = await createCustomer(own);
    const { customer } = await own.photos.uploadPhoto({ customerId: id, content: await plain("png") });
    await own.customers.deleteCustomer({ id });
    expect((await fetch(customer!.photoUrl)).status).toBe(404);
    const events = await clientele.db("events").where({ customer_id: id }).whereLike("type", "photo.%");
    expect(events.map(({ type }) => type)).toEqual(["photo.uploaded", "photo.deleted"]);
  });

  test("has one photo, the last, of twenty uploads at once", async () => {
    const { id } = await createCustomer(clients);
    const png = await plain("png");
    const urls = (await Promise.all(Array.from({ length: 20 }, () => byCall(id, png)))).map((one) => one.photoUrl);
    const { photoUrl } = await getCustomer(clients, id);
    expect(urls).toContain(photoUrl);
    const statuses = await Promise.all(urls.map(async (url) => (await fetch(url)).status));
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect((await fetch(photoUrl)).status).toBe(200);
  });
});
