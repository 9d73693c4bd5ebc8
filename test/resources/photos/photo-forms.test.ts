import { once } from "node:events";
import { request } from "node:http";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { beforeAll, expect, test } from "vitest";
import { UploadPhotoResponseSchema } from "../../../gen/clientele/v1/photos_pb.js";
import { type Clients, type TestAccount, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { maxPhotoBytes, plain } from "../../support/images.js";
import { type Body, formOf, formPoster } from "../../support/photos.js";

let account: TestAccount;
let clients: Clients;
let poster: ReturnType<typeof formPoster>;
const clientele = useClientele();
beforeAll(async () => {
  account = await clientele.createAccount();
  clients = account.test;
  poster = formPoster(clientele, account);
});

/** A form by hand: parts, each with its header fields. */
function raw(...parts: { header: string; content: string }[]): { body: string; headers: Record<string, string> } {
  const body = parts.map(({ header, content }) => `--b\r\n${header}\r\n\r\n${content}\r\n`).join("");
  return { body: `${body}--b--\r\n`, headers: typed("multipart/form-data; boundary=b") };
}

function typed(type: string): Record<string, string> {
  return { "api-key": account.testKey, "content-type": type };
}

const basic = (key: string) => `Basic ${Buffer.from(`${key}:`).toString("base64")}`;
const credentials: { name: string; headers: (key: string) => Record<string, string> }[] = [
  { name: "HTTP Basic", headers: (key) => ({ authorization: basic(key) }) },
  { name: "Bearer", headers: (key) => ({ authorization: `Bearer ${key}` }) },
  { name: "api-key", headers: (key) => ({ "api-key": key }) },
  { name: "x-api-key", headers: (key) => ({ "x-api-key": key }) },
];

test.for(credentials)("a form is accepted with a key as $name", async ({ headers }) => {
  const { id } = await createCustomer(clients);
  const { photoUrl } = await poster.post(id, formOf(await plain("png")), headers(account.testKey));
  expect((await fetch(photoUrl)).status).toBe(200);
});

test("a form needs a key", async () => {
  const { id } = await createCustomer(clients);
  const without = await poster.send(id, formOf(await plain("png")), {});
  expect(without.status).toBe(401);
  expect(await without.json()).toMatchObject({
    code: "unauthenticated",
    message: "Authentication credentials were not provided.",
  });
  expect(await failureOf(poster.post(id, formOf(await plain("png")), { "api-key": "sk_test_no" }))).toMatchObject({
    reason: "CREDENTIALS_INVALID",
  });
  expect((await getCustomer(clients, id)).photoUrl).toBe("");
});

test("a form with an Idempotency-Key has its effect once, also beside the call", async () => {
  const { id } = await createCustomer(clients);
  const content = await plain("png");
  const headers = { "api-key": account.testKey, "idempotency-key": "photo-1" };
  const first = await poster.post(id, formOf(content), headers);
  const again = await poster.send(id, formOf(content), headers);
  expect(again.headers.get("idempotency-replayed")).toBe("true");
  expect(fromJson(UploadPhotoResponseSchema, (await again.json()) as JsonValue).customer).toEqual(first);
  const called = await clients.photos.uploadPhoto({ customerId: id, content }, { headers });
  expect(called.customer).toEqual(first);
  const other = poster.post(id, formOf(await plain("jpeg")), headers);
  expect(await failureOf(other)).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
});

test("a form reaches a customer whose id has every sign that an id may have", async () => {
  const { id } = await createCustomer(clients, { id: "a.b~c_d-e" });
  expect((await poster.post(id, formOf(await plain("png")))).id).toBe(id);
});

test("a form's answer is never compressed", async () => {
  const { id } = await createCustomer(clients, { metadata: { long: "x".repeat(5000) } });
  const headers = { "api-key": account.testKey, "accept-encoding": "gzip, br" };
  expect((await poster.post(id, formOf(await plain("png")), headers)).id).toBe(id);
});

const named = 'content-disposition: form-data; name="photo"; filename="a.png"';
const required = { reason: "FIELDS_INVALID", fields: { photo: "This field is required." } };
const only = { reason: "FIELDS_INVALID", fields: { photo: "must be a file, and the only part of the form" } };
const malformed = { reason: "REQUEST_MALFORMED", message: "The body is not a form of multipart/form-data." };
const part = (content: string, header = named) => ({ header, content });
const wrong: { name: string; form: () => { body: Body; headers: Record<string, string> }; want: object }[] = [
  {
    name: "a file under another name",
    form: () => raw(part("x", 'content-disposition: form-data; name="picture"; filename="a.png"')),
    want: required,
  },
  {
    name: "a file without a name",
    form: () => raw(part("x", 'content-disposition: form-data; filename="a"')),
    want: required,
  },
  { name: "no part", form: () => raw(), want: required },
  { name: "a part that says nothing", form: () => raw(part("x", "a: b")), want: required },
  {
    name: "a field in place of a file",
    form: () => raw(part("x", 'content-disposition: form-data; name="photo"')),
    want: only,
  },
  { name: "two files", form: () => raw(part("x"), part("y")), want: only },
  {
    name: "a field behind the file",
    form: () => raw(part("x"), part("y", 'content-disposition: form-data; name="a"')),
    want: only,
  },
  { name: "no end", form: () => ({ ...raw(part("x")), body: raw(part("x")).body.slice(0, -8) }), want: malformed },
  { name: "half a header", form: () => ({ ...raw(), body: "--b\r\ncontent-dis" }), want: malformed },
  { name: "a header that is none", form: () => raw(part("x", "\0\0\0")), want: malformed },
  { name: "no body", form: () => ({ ...raw(), body: "" }), want: malformed },
  {
    name: "no boundary",
    form: () => ({ ...raw(part("x")), headers: typed("multipart/form-data") }),
    want: malformed,
  },
  {
    name: "an urlencoded form",
    form: () => ({ body: "photo=x", headers: typed("application/x-www-form-urlencoded") }),
    want: malformed,
  },
  { name: "the image itself", form: () => ({ body: "x", headers: typed("image/png") }), want: malformed },
  { name: "JSON", form: () => ({ body: "{}", headers: typed("application/json") }), want: malformed },
  {
    name: "no type",
    form: () => ({ body: new Uint8Array(9), headers: { "api-key": account.testKey } }),
    want: malformed,
  },
  {
    name: "a compressed body",
    form: () => ({ ...raw(part("x")), headers: { ...raw().headers, "content-encoding": "gzip" } }),
    want: malformed,
  },
  {
    name: "much before the first part",
    form: () => ({ ...raw(), body: "x".repeat(6 * 1024 * 1024) }),
    want: malformed,
  },
];

test.for(wrong)("a form of $name is refused", async ({ form, want }) => {
  const { id } = await createCustomer(clients);
  const { body, headers } = form();
  expect(await failureOf(poster.post(id, body, headers))).toMatchObject({ code: "InvalidArgument", ...want });
});

test("a form is not read to its end when the file is too large", async () => {
  const { id } = await createCustomer(clients);
  const url = `${clientele.httpUrl}/v1/customers/${id}/photo`;
  const req = request(url, { method: "POST", headers: raw().headers, agent: false });
  // The service may hang up while the client still writes.
  const answered = new Promise<number | undefined>((resolve) => {
    req.on("response", (res) => resolve(res.resume().statusCode)).on("error", () => resolve(undefined));
  });
  req.write(`--b\r\n${named}\r\n\r\n`);
  let sent = 0;
  const piece = Buffer.alloc(256 * 1024);
  const closed = new Promise<void>((resolve) => req.on("close", resolve));
  while (sent < 20 * maxPhotoBytes && !req.destroyed) {
    sent += piece.length;
    if (!req.write(piece)) await Promise.race([once(req, "drain").catch(() => {}), closed]);
  }
  expect(await answered).toBeOneOf([400, undefined]);
  expect(sent).toBeLessThan(5 * maxPhotoBytes);
  req.destroy();
});

test("a form is taken at its address alone", async () => {
  const { id } = await createCustomer(clients);
  const at = (path: string, method = "POST") =>
    fetch(clientele.httpUrl + path, { method, headers: { "api-key": account.testKey } }).then(({ status }) => status);
  expect(await at(`/v1/customers/${id}/photo`, "GET")).toBe(404);
  expect(await at(`/v1/customers/${id}/photo`, "PUT")).toBe(404);
  expect(await at(`/v1/customers/${id}/photo/`)).toBe(404);
  expect(await at("/v1/customers//photo")).toBe(404);
  expect(await at("/v1/customers/%ff/photo")).toBe(404);
});
