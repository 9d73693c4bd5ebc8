import busboy from "busboy";
import { invalidField, requiredMessage, rpcError } from "../rpc/errors.js";

interface FormRules {
  /** The name of the only part. */
  readonly field: string;
  /** How much of the file to read. */
  readonly maxBytes: number;
}

// For the boundaries and the header of the part.
const formBytes = 16 * 1024;

/**
 * The file in a form of multipart/form-data (RFC 7578), its only part. Of a file of more than `maxBytes` it reads no
 * further, and gives a piece that is larger than that. Throws INVALID_ARGUMENT for a body that is no such form.
 */
export async function fileOfForm(
  header: Headers,
  body: AsyncIterable<Uint8Array>,
  { field, maxBytes }: FormRules,
): Promise<Uint8Array> {
  const form = openForm(header);
  const pieces: Buffer[] = [];
  let size = 0;
  let found = false;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
  };
  form.on("file", (name, file) => {
    found = name === field;
    if (!found) fail(invalidField(field, requiredMessage));
    file.on("error", () => fail(malformed()));
    file.on("data", (piece: Buffer) => {
      if (size <= maxBytes) pieces.push(piece);
      size += piece.length;
    });
  });
  for (const event of ["filesLimit", "fieldsLimit"] as const) {
    form.on(event, () => fail(invalidField(field, "must be a file, and the only part of the form")));
  }
  form.on("error", () => fail(malformed()));

  let read = 0;
  for await (const chunk of body) {
    read += chunk.byteLength;
    // Its callback waits until the pieces are taken.
    await new Promise<void>((resolve) => form.write(chunk, () => resolve()));
    if (failure === undefined && size <= maxBytes && read > maxBytes + formBytes) fail(malformed());
    if (failure !== undefined || size > maxBytes) break;
  }
  if (failure === undefined && size <= maxBytes) await new Promise<void>((resolve) => form.end(() => resolve()));
  else form.destroy();
  if (failure !== undefined) throw failure;
  if (!found) throw invalidField(field, requiredMessage);
  return Buffer.concat(pieces);
}

function openForm(header: Headers): busboy.Busboy {
  const type = header.get("content-type") ?? "";
  if (!/^multipart\/form-data\s*;/i.test(type) || header.has("content-encoding")) throw malformed();
  try {
    return busboy({ headers: { "content-type": type }, limits: { files: 1, fields: 0 } });
  } catch {
    throw malformed();
  }
}

function malformed() {
  return rpcError("REQUEST_MALFORMED", "The body is not a form of multipart/form-data.");
}
