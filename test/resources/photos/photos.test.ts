import { createClient } from "@connectrpc/connect";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { PhotoService } from "../../../gen/clientele/v1/photos_pb.js";
import { type Clients, type TestAccount, transports, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { maxPhotoBytes, plain, pngOf, withChunk } from "../../support/images.js";
import { formOf, formPoster, uploadByCall } from "../../support/photos.js";

let account: TestAccount;
let clients: Clients;
let largest: Buffer;
const clientele = useClientele();
beforeAll(async () => {
  account = await clientele.createAccount();
  clients = account.test;
  largest = await pngOf(maxPhotoBytes);
});

const byCall = (customerId: string, content: Buffer) => uploadByCall(clients, customerId, content);
const byForm = (customerId: string, content: Buffer) =>
  formPoster(clientele, account).post(customerId, formOf(content));

// All of them must agree.
const uploads = [
  { name: "a call", upload: byCall },
  { name: "a form", upload: byForm },
];

async function imageAt(url: string): Promise<Buffer> {
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  return Buffer.from(await answer.arrayBuffer());
}

describe.for(uploads)("a photo uploaded by $name", ({ upload }) => {
  test.for(["jpeg", "png"] as const)("is shown as the %s that it is, to everybody", async (format) => {
    const { id } = await createCustomer(clients);
    const { photoUrl } = await upload(id, await plain(format));
    expect(photoUrl).toMatch(/\/photos\/[0-9a-z]{26}\.[0-9a-z]{32}$/);
    expect(photoUrl.startsWith(`${clientele.httpUrl}/`)).toBe(true);
    expect((await getCustomer(clients, id)).photoUrl).toBe(photoUrl);
    const answer = await fetch(photoUrl);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": `image/${format}`,
      "cache-control": "public, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
      etag: expect.stringMatching(/^"[^"]+"$/),
    });
    const shown = await sharp(Buffer.from(await answer.arrayBuffer())).metadata();
    expect(shown).toMatchObject({ format, width: 40, height: 20 });
  });

  test("may have 5 242 880 bytes, and not one more", async () => {
    const { id } = await createCustomer(clients);
    expect(largest).toHaveLength(maxPhotoBytes);
    const { photoUrl } = await upload(id, largest);
    expect(photoUrl).toContain("/photos/");
    const oneMore = Buffer.concat([largest, Buffer.alloc(1)]);
    expect(await failureOf(upload(id, oneMore))).toMatchObject({
      code: "InvalidArgument",
      reason: "PHOTO_TOO_LARGE",
      message: "The photo must be at most 5242880 bytes.",
      fields: { content: "The photo must be at most 5242880 bytes." },
    });
    expect((await getCustomer(clients, id)).photoUrl).toBe(photoUrl);
  });

  test("has the size that the picture has upright, and none of what stood beside it", async () => {
    const secret = "Ada's home";
    const tagged = await sharp(await plain("jpeg"))
      .withExif({ IFD0: { Artist: secret }, IFD3: { GPSLatitudeRef: "N", GPSLatitude: "51/1 30/1 0/1" } })
      .withXmp(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>${secret}</a></x:xmpmeta>`)
      .withIccProfile("p3")
      .withMetadata({ orientation: 6 })
      .toBuffer();
    expect(await sharp(tagged).metadata()).toMatchObject({ width: 40, height: 20, orientation: 6 });
    expect(tagged.toString("latin1")).toContain(secret);
    const { photoUrl } = await upload((await createCustomer(clients)).id, tagged);
    const image = await imageAt(photoUrl);
    const { width, height, orientation, exif, xmp, icc, iptc } = await sharp(image).metadata();
    expect({ width, height, orientation, exif, xmp, icc, iptc }).toEqual({ width: 20, height: 40 });
    expect(image.toString("latin1")).not.toContain(secret);
  });

  test("keeps no text and no tail of a PNG", async () => {
    const png = await plain("png");
    const noted = Buffer.concat([withChunk(png, "tEXt", Buffer.from("Comment\0Ada's home")), Buffer.from("<script>")]);
    const image = await imageAt((await upload((await createCustomer(clients)).id, noted)).photoUrl);
    expect(image.toString("latin1")).not.toMatch(/Ada|script/);
  });
});

const wires = Object.entries(transports).map(([name, open]) => ({ name, open }));

test.for(wires)("5 242 880 bytes fit over $name, and one more is told", async ({ open }) => {
  const { id: customerId } = await createCustomer(clients);
  const { uploadPhoto } = createClient(PhotoService, open(clientele, account.testKey));
  const { customer } = await uploadPhoto({ customerId, content: largest });
  expect(customer!.photoUrl).toContain("/photos/");
  const oneMore = uploadPhoto({ customerId, content: Buffer.concat([largest, Buffer.alloc(1)]) });
  expect(await failureOf(oneMore)).toMatchObject({ reason: "PHOTO_TOO_LARGE" });
  const tooMuch = uploadPhoto({
    customerId,
    content: Buffer.concat([largest, largest.subarray(0, maxPhotoBytes / 2)]),
  });
  expect(await failureOf(tooMuch)).toMatchObject({ code: "ResourceExhausted", reason: "MESSAGE_TOO_LARGE" });
});

const flat = (format: "jpeg" | "png", width: number, height: number) => () => plain(format, width, height);
const cut = (format: "jpeg" | "png", bytes: number) => async () => (await plain(format, 200, 100)).subarray(0, -bytes);
const broken = (format: "jpeg" | "png") => async () => {
  const image = await plain(format, 200, 100);
  return image.fill(0x55, image.length - 60, image.length - 30);
};
// The chunk that makes a PNG an animated one, with two frames that play for ever.
const animated = async () => withChunk(await plain("png"), "acTL", Buffer.from([0, 0, 0, 2, 0, 0, 0, 0]), "IDAT");
// A header that promises as many pixels as a PNG can, and nothing behind it.
const bomb = async () => {
  const image = Buffer.from(await plain("png"));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(2 ** 31 - 1, 0);
  header.writeUInt32BE(2 ** 31 - 1, 4);
  header.set([8, 2], 8);
  const rest = image.subarray(33);
  return withChunk(Buffer.concat([image.subarray(0, 8), rest]), "IHDR", header, "IDAT");
};
const text = (content: string) => async () => Buffer.from(content);

const refusals: { name: string; make: () => Promise<Buffer>; reason: string }[] = [
  { name: "a GIF", make: () => plain("gif"), reason: "PHOTO_INVALID" },
  { name: "a WebP", make: () => plain("webp"), reason: "PHOTO_INVALID" },
  {
    name: "an SVG",
    make: text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"),
    reason: "PHOTO_INVALID",
  },
  { name: "a PDF", make: text("%PDF-1.7\n%%EOF"), reason: "PHOTO_INVALID" },
  { name: "text", make: text("me"), reason: "PHOTO_INVALID" },
  { name: "an animated PNG", make: animated, reason: "PHOTO_INVALID" },
  { name: "a JPEG without its end", make: cut("jpeg", 2), reason: "PHOTO_INVALID" },
  { name: "a JPEG without its last bytes", make: cut("jpeg", 40), reason: "PHOTO_INVALID" },
  { name: "half a JPEG", make: cut("jpeg", 250), reason: "PHOTO_INVALID" },
  { name: "a PNG without its end", make: cut("png", 12), reason: "PHOTO_INVALID" },
  { name: "a PNG without its last bytes", make: cut("png", 40), reason: "PHOTO_INVALID" },
  { name: "the first bytes of a PNG", make: async () => (await plain("png")).subarray(0, 8), reason: "PHOTO_INVALID" },
  { name: "a JPEG with bytes that are not its own", make: broken("jpeg"), reason: "PHOTO_INVALID" },
  { name: "a PNG with bytes that are not its own", make: broken("png"), reason: "PHOTO_INVALID" },
  { name: "a PNG of 41 megapixels", make: flat("png", 8200, 5000), reason: "PHOTO_TOO_LARGE" },
  { name: "a JPEG of 41 megapixels", make: flat("jpeg", 8200, 5000), reason: "PHOTO_TOO_LARGE" },
];

test.for(refusals)("$name is refused, by call and by form, and nothing changes", async ({ make, reason }) => {
  const { id, etag } = await createCustomer(clients);
  const content = await make();
  const failure = await failureOf(byCall(id, content));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason, fields: { content: failure.message } });
  expect(await failureOf(byForm(id, content))).toEqual(failure);
  expect(await getCustomer(clients, id)).toMatchObject({ etag, photoUrl: "" });
});

test("a PNG that promises more than it holds is refused before it is looked at", async () => {
  const { id } = await createCustomer(clients);
  const failure = await failureOf(byCall(id, await bomb()));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: expect.stringMatching(/^PHOTO_/) });
});

test("40 megapixels are accepted, also several at a time", async () => {
  const [png, jpeg] = [await plain("png", 8000, 5000), await plain("jpeg", 5000, 8000)];
  const ids = await Promise.all(Array.from({ length: 4 }, async () => (await createCustomer(clients)).id));
  const shown = await Promise.all(ids.map((id, at) => byCall(id, at % 2 === 0 ? png : jpeg)));
  for (const { photoUrl } of shown) expect(photoUrl).toContain("/photos/");
});

test("an empty photo is a missing field", async () => {
  const { id } = await createCustomer(clients);
  const failure = { reason: "FIELDS_INVALID", fields: { content: "This field is required." } };
  expect(await failureOf(byCall(id, Buffer.alloc(0)))).toMatchObject(failure);
  expect(await failureOf(byForm(id, Buffer.alloc(0)))).toMatchObject(failure);
});
