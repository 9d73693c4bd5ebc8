import { fileTypeFromBuffer } from "file-type";
import sharp from "sharp";
import { createTurns } from "../../rpc/calls/fair-queue.js";
import { invalidField, type Reason, unavailable } from "../../rpc/errors.js";

/** The largest photo file, in bytes: 5 MB, as at 4Geeks. */
export const maxPhotoBytes = 5_242_880;
const maxMegapixels = 40;
/** The largest picture that is taken for a photo. */
export const maxPixels = maxMegapixels * 1_000_000;

// Each may hold its picture uncompressed: up to 320 MB.
const atOnce = 2;
// Each holds a file.
const maxWaiting = 32;
const maxSeconds = 20;

/** The media types that are taken for a photo. */
export const photoTypes = ["image/jpeg", "image/png"] as const;

/** An image as it is stored: upright, and nothing but the picture. */
export interface Image {
  readonly contentType: (typeof photoTypes)[number];
  readonly content: Buffer;
}

/**
 * Makes an image of a file that a client sent. Throws INVALID_ARGUMENT, reason PHOTO_TOO_LARGE or PHOTO_INVALID, and
 * UNAVAILABLE when too many wait for their turn.
 */
export type ReadImage = (file: Uint8Array) => Promise<Image>;

/** Makes the reader of images; one for the process, since it bounds how many are in memory at a time. */
export function createImageReader(): ReadImage {
  // The bytes decide which loader runs, so no other may: not even one that file-type would not have let pass.
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: ["VipsForeignLoadJpegBuffer", "VipsForeignLoadPngBuffer"] });
  sharp.cache(false);
  sharp.concurrency(1);
  const inTurn = createTurns({ places: atOnce, queue: maxWaiting, full: unavailable });
  return async (file) => {
    if (file.byteLength > maxPhotoBytes) throw tooLarge(`The photo must be at most ${maxPhotoBytes} bytes.`);
    return await inTurn(() => convert(file));
  };
}

async function convert(file: Uint8Array): Promise<Image> {
  const contentType = await contentTypeOf(file);
  if (contentType === undefined) throw invalid("The photo must be a JPEG or PNG that is not animated.");
  // The header alone, which tells what decoding would take.
  const { width, height } = await sharp(file, { limitInputPixels: false }).metadata().catch(broken);
  if (width * height > maxPixels) throw tooLarge(`The photo must be at most ${maxMegapixels} megapixels.`);
  const options = { limitInputPixels: maxPixels, failOn: "warning", autoOrient: true } as const;
  // Into sRGB, and without metadata: sharp keeps none that it is not told to keep.
  const upright = sharp(file, options).timeout({ seconds: maxSeconds });
  const encoded = contentType === "image/jpeg" ? upright.jpeg({ quality: 90 }) : upright.png();
  return { contentType, content: await encoded.toBuffer().catch(broken) };
}

const pngEnd = Buffer.from("0000000049454e44ae426082", "hex");

// By content alone. An animated PNG has a type of its own, and one that lacks nothing but its end still decodes.
async function contentTypeOf(file: Uint8Array): Promise<Image["contentType"] | undefined> {
  const type = await fileTypeFromBuffer(file).catch(() => undefined);
  if (type?.mime === "image/jpeg") return type.mime;
  if (type?.mime !== "image/png") return undefined;
  return Buffer.from(file.buffer, file.byteOffset, file.byteLength).includes(pngEnd) ? type.mime : broken();
}

// An error of sharp may quote the file.
function broken(): never {
  throw invalid("The photo is broken: it must be a whole JPEG or PNG.");
}

function invalid(description: string) {
  return refusal(description, "PHOTO_INVALID");
}

function tooLarge(description: string) {
  return refusal(description, "PHOTO_TOO_LARGE");
}

function refusal(description: string, reason: Reason) {
  return invalidField("content", description, reason);
}
