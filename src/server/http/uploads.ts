import { type DescMethodUnary, fromBinary, toJsonString } from "@bufbuild/protobuf";
import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { type Form, readForm } from "./multipart.js";

/** An address that a file can be posted to as a form: another spelling of a call. */
export interface Upload {
  /** The path, and in its one group an id. */
  readonly path: RegExp;
  /** The method that is called. */
  readonly method: DescMethodUnary;
  /** The name of the part that is the file. */
  readonly field: string;
  /** The names of the parts that are text; the method says which it needs. */
  readonly texts?: readonly string[];
  /** Where reading stops: a larger file reaches the method cut off, but larger than this. */
  readonly maxBytes: number;
  /** The request message of the method, in binary. */
  readonly request: (id: string, content: Uint8Array, texts: Form["texts"]) => Uint8Array<ArrayBuffer>;
}

/** What a request uploads, and the id in its path. */
export interface UploadRequest {
  readonly upload: Upload;
  readonly id: string;
}

/** Finds what is uploaded at a path; undefined if it is no address of an upload. */
export function uploadAt(uploads: readonly Upload[], path: string): UploadRequest | undefined {
  for (const upload of uploads) {
    const [, id] = upload.path.exec(path) ?? [];
    if (id === undefined) continue;
    try {
      return { upload, id: decodeURIComponent(id) };
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** The call that an upload is, in Connect's unary protocol. A body that is no such form throws as it is read. */
export function callOfUpload(
  request: UniversalServerRequest,
  body: AsyncIterable<Uint8Array>,
  { upload, id }: UploadRequest,
): UniversalServerRequest {
  const header = new Headers(request.header);
  for (const name of ["content-length", "content-encoding", "accept-encoding"]) header.delete(name);
  header.set("content-type", "application/proto");
  return { ...request, header, body: message() };

  async function* message() {
    const { file, texts } = await readForm(request.header, body, upload);
    yield upload.request(id, file, texts);
  }
}

/** The answer to an upload in JSON; errors are that already. */
export async function answerOfUpload(
  answer: UniversalServerResponse,
  { upload }: UploadRequest,
): Promise<UniversalServerResponse> {
  if (answer.status !== 200) return answer;
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  const message = fromBinary(upload.method.output, Buffer.concat(chunks));
  const json = Buffer.from(toJsonString(upload.method.output, message));
  const header = new Headers(answer.header);
  header.set("content-type", "application/json");
  header.set("content-length", String(json.byteLength));
  return { ...answer, header, body: one(json) };
}

async function* one(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
