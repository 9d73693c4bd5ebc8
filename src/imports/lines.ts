/** One line of a file, without its end. */
export interface Line {
  /** From 1 on. */
  readonly number: number;
  /** The byte behind the line and its end. */
  readonly end: number;
  /** The text; undefined if it cannot be read. */
  readonly text: string | undefined;
  /** Why it cannot. */
  readonly fault?: "LINE_TOO_LONG" | "UTF8_INVALID";
}

/** Where to begin: behind `line` lines, which end at the byte `offset`. */
export interface Place {
  readonly line: number;
  readonly offset: number;
}

/** The longest line that is read, in bytes. */
export const maxLineBytes = 1_048_576;

const newline = 0x0a;

/**
 * Splits bytes into lines that end with LF or CRLF, as many at a time as a chunk holds. A line that is too long or not
 * UTF-8 spoils itself alone, and no more than one line is held in memory. A byte order mark is dropped.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, from: Place): AsyncGenerator<Line[]> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let { line: number, offset: end } = from;
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let start = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, start)) {
      keep(chunk.subarray(start, at));
      start = at + 1;
      lines.push(take(1));
    }
    keep(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (size > 0) yield [take(0)];

  // Bytes beyond the limit are counted and dropped.
  function keep(part: Uint8Array): void {
    if (part.length === 0) return;
    size += part.length;
    if (size <= maxLineBytes) pieces.push(part);
    else pieces = [];
  }

  function take(ending: number): Line {
    const [bytes, tooLong] = [pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), size > maxLineBytes];
    number += 1;
    end += size + ending;
    [pieces, size] = [[], 0];
    if (tooLong) return { number, end, text: undefined, fault: "LINE_TOO_LONG" };
    try {
      const text = decoder.decode(bytes);
      const begin = number === 1 && text.startsWith("\ufeff") ? 1 : 0;
      return { number, end, text: text.slice(begin, text.endsWith("\r") ? -1 : undefined) };
    } catch {
      return { number, end, text: undefined, fault: "UTF8_INVALID" };
    }
  }
}
