import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";

/** A file to import. */
export interface ImportFile {
  /** In bytes; null for a pipe, whose size nobody knows. */
  readonly size: number | null;
  /** Its first 64 KiB, by which it is known again. */
  readonly head: Uint8Array;
  /** Its bytes, without the first `offset` ones. May be read once. */
  chunks(offset: number): AsyncIterable<Uint8Array>;
}

const headBytes = 65_536;

/** Opens a file by its path, or standard input by `-`. */
export async function openFile(path: string, stdin: Readable): Promise<ImportFile> {
  if (path === "-") return await fromStream(stdin);
  const handle = await open(path);
  try {
    const stat = await handle.stat();
    if (stat.isDirectory()) throw new Error(`${path} is a folder, not a file.`);
    if (!stat.isFile()) return await fromStream(createReadStream(path));
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    const head = buffer.subarray(0, bytesRead);
    return { size: stat.size, head, chunks: (offset) => createReadStream(path, { start: offset }) };
  } finally {
    await handle.close();
  }
}

/** The hash of a file's content in hex. It recognizes the file when an import resumes. */
export function identityOf({ size, head }: Pick<ImportFile, "size" | "head">, source: string): string {
  return createHash("sha256").update(`${source} ${size} `).update(head).digest("hex");
}

async function fromStream(stream: Readable): Promise<ImportFile> {
  const rest: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]();
  const read: Uint8Array[] = [];
  for (let length = 0; length < headBytes; ) {
    const { value, done } = await rest.next();
    if (done) break;
    read.push(value);
    length += value.length;
  }
  return { size: null, head: Buffer.concat(read).subarray(0, headBytes), chunks };

  async function* chunks(offset: number): AsyncGenerator<Uint8Array> {
    let skip = offset;
    for await (const chunk of all()) {
      if (chunk.length > skip) yield chunk.subarray(skip);
      skip = Math.max(skip - chunk.length, 0);
    }
  }

  async function* all(): AsyncGenerator<Uint8Array> {
    yield* read;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  }
}
