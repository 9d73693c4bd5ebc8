import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Form } from "./multipart.js";

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

/** The upload that a request names, with the id in its path. */
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
