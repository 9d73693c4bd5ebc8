import { fileTypeFromBuffer } from "file-type";
import type { Knex } from "knex";
import { invalidField } from "../../rpc/errors.js";
import { type FilePartRow, findFilePart } from "./store.js";

/** The largest file of a tax certificate: 10 MB. */
export const maxFileBytes = 10_485_760;

const contentTypes = ["application/pdf", "image/png", "image/jpeg"] as const;

// Far below the 4 MB that a client of gRPC takes as one message by default.
const maxPartBytes = 256 * 1024;

/**
 * The media type of a file, told by its content alone. The file is a document: it is stored byte by byte, never decoded.
 * Throws INVALID_ARGUMENT, reason TAX_CERTIFICATE_FILE_TOO_LARGE or _INVALID.
 */
export async function contentTypeOf(file: Uint8Array): Promise<string> {
  if (file.byteLength > maxFileBytes) {
    const description = `The file must be at most ${maxFileBytes} bytes.`;
    throw invalidField("content", description, "TAX_CERTIFICATE_FILE_TOO_LARGE");
  }
  // A file that ends too early makes it throw.
  const type = await fileTypeFromBuffer(file).catch(() => undefined);
  const contentType = contentTypes.find((one) => one === type?.mime);
  if (contentType !== undefined) return contentType;
  throw invalidField("content", "The file must be a PDF, PNG or JPEG.", "TAX_CERTIFICATE_FILE_INVALID");
}

/**
 * Reads a file in parts, in order. No connection and no more than one part is held while the reader takes its time.
 * It ends early where the certificate is absent, or deleted meanwhile.
 */
export async function* readFile(
  db: Knex,
  tenantId: string,
  customerId: string,
  id: string,
): AsyncGenerator<FilePartRow> {
  for (let offset = 0; ; ) {
    const part = await findFilePart(db, tenantId, customerId, id, { offset, limit: maxPartBytes });
    if (part === undefined) return;
    yield part;
    offset += part.content.byteLength;
    if (offset >= part.file_size) return;
  }
}
