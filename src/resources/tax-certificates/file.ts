import { fileTypeFromBuffer } from "file-type";
import { invalidField } from "../../rpc/errors.js";

/** The largest file of a tax certificate: 10 MB. */
export const maxFileBytes = 10_485_760;

const contentTypes = ["application/pdf", "image/png", "image/jpeg"] as const;

/**
 * What the file of a tax certificate is, by its content alone. It is a document, so it is kept byte by byte and neither
 * decoded nor ever shown by us. Throws INVALID_ARGUMENT, reason TAX_CERTIFICATE_FILE_TOO_LARGE or _INVALID.
 */
export async function contentTypeOf(file: Uint8Array): Promise<string> {
  if (file.byteLength > maxFileBytes) {
    const description = `The file must be at most ${maxFileBytes} bytes.`;
    throw invalidField("content", description, "TAX_CERTIFICATE_FILE_TOO_LARGE");
  }
  // It throws of what ends too early.
  const type = await fileTypeFromBuffer(file).catch(() => undefined);
  const contentType = contentTypes.find((known) => known === type?.mime);
  if (contentType !== undefined) return contentType;
  throw invalidField("content", "The file must be a PDF, PNG or JPEG.", "TAX_CERTIFICATE_FILE_INVALID");
}
