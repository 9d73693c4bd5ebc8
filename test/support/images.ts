import { crc32 } from "node:zlib";
import sharp from "sharp";

/** The largest file that is taken for a photo, in bytes. */
export const maxPhotoBytes = 5_242_880;

/** One colour, in a file that is as small as it can be. */
export async function plain(format: "jpeg" | "png" | "gif" | "webp", width = 40, height = 20): Promise<Buffer> {
  return await sharp({ create: { width, height, channels: 3, background: "#a03050" } })
    [format]()
    .toBuffer();
}

/** A picture of noise, which cannot be compressed, as a PNG of exactly that many bytes. */
export async function pngOf(bytes: number): Promise<Buffer> {
  const side = Math.floor(Math.sqrt((bytes * 0.95) / 3));
  const noise = { type: "gaussian", mean: 128, sigma: 60 } as const;
  const create = { width: side, height: side, channels: 3, background: "#000", noise } as const;
  const image = await sharp({ create }).png({ compressionLevel: 0 }).toBuffer();
  return withChunk(image, "fiLl", Buffer.alloc(bytes - image.length - 12));
}

/** Puts a chunk into a PNG, in front of the last one or of the pixels. */
export function withChunk(png: Buffer, type: string, data: Buffer, before: "IEND" | "IDAT" = "IEND"): Buffer {
  const at = before === "IEND" ? png.length - 12 : png.indexOf("IDAT") - 4;
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([png.subarray(0, at), length, body, check, png.subarray(at)]);
}
