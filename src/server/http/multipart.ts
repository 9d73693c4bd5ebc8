import busboy from "busboy";
import { invalidField, requiredMessage, rpcError } from "../../rpc/errors.js";

interface FormRules {
  /** The name of the file. */
  readonly field: string;
  /** The names of the other parts, which are texts; absent where the file is the only one. */
  readonly texts?: readonly string[];
  /** How much of the file to read. */
  readonly maxBytes: number;
}

/** The parts of a form. */
export interface Form {
  readonly file: Uint8Array;
  /** By the names of the parts. */
  readonly texts: ReadonlyMap<string, string>;
}

// For the boundaries and the headers of the parts, and for the texts.
const formBytes = 16 * 1024;
const maxTextBytes = 1024;

/**
 * A form of multipart/form-data (RFC 7578): a file, and the texts that the rules name, in any order. Of a file of more than
 * `maxBytes` it reads no further, and gives a piece that is larger than that. Throws INVALID_ARGUMENT for a body that is no
 * such form.
 */
export async function readForm(
  header: Headers,
  body: AsyncIterable<Uint8Array>,
  { field, texts: names = [], maxBytes }: FormRules,
): Promise<Form> {
  const form = openForm(header, names.length);
  const texts = new Map<string, string>();
  const pieces: Buffer[] = [];
  let size = 0;
  let hasFile = false;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
  };
  form.on("file", (name, file) => {
    hasFile = name === field;
    if (!hasFile) fail(invalidField(field, requiredMessage));
    file.on("error", () => fail(malformed()));
    file.on("data", (piece: Buffer) => {
      if (size <= maxBytes) pieces.push(piece);
      size += piece.length;
    });
  });
  form.on("field", (name, text, { valueTruncated }) => {
    if (name === field || !names.includes(name)) fail(unexpected());
    else if (texts.has(name)) fail(invalidField(name, "must be in the form once"));
    else if (valueTruncated) fail(invalidField(name, `must be at most ${maxTextBytes} bytes`));
    texts.set(name, text);
  });
  form.on("filesLimit", () => fail(unexpected()));
  form.on("fieldsLimit", () => fail(unexpected()));
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
  if (!hasFile) throw invalidField(field, requiredMessage);
  return { file: Buffer.concat(pieces), texts };

  function unexpected() {
    const others = names.length === 0 ? ", and the only part of the form" : `; other parts are ${names.join(", ")}`;
    return invalidField(field, `must be a file${others}`);
  }
}

function openForm(header: Headers, texts: number): busboy.Busboy {
  const type = header.get("content-type") ?? "";
  if (!/^multipart\/form-data\s*;/i.test(type) || header.has("content-encoding")) throw malformed();
  try {
    return busboy({
      headers: { "content-type": type },
      limits: { files: 1, fields: texts + 1, fieldSize: maxTextBytes },
    });
  } catch {
    throw malformed();
  }
}

function malformed() {
  return rpcError("REQUEST_MALFORMED", "The body is not a form of multipart/form-data.");
}
