import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import type { Rejection } from "./write.js";

/** A file of what was rejected, one JSON object a line: `line`, `column`, `reason`, `message`, `field`, `violations`. */
export interface Rejects {
  /** Writes the rejections of a batch, in place of those that the same batch had before. */
  keep(batch: number, rejections: readonly Rejection[]): void;
  close(): void;
}

/**
 * Opens the file. Of what it holds, what tells of lines up to `line` stays: the rest was written by a batch that was
 * not committed, or by an import before. So it holds every rejection once, whatever ended the process.
 */
export function openRejects(path: string, line: number): Rejects {
  const file = openSync(path, line === 0 ? "w+" : "a+");
  let [batch, end] = [-1, line === 0 ? 0 : endOfLinesUpTo(file, line)];
  ftruncateSync(file, end);
  let begin = end;
  return {
    keep(number, rejections) {
      if (number === batch) ftruncateSync(file, begin);
      else begin = end;
      batch = number;
      const bytes = Buffer.from(rejections.map(lineOf).join(""));
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, begin + at);
      end = begin + bytes.length;
      if (bytes.length > 0) fsyncSync(file);
    },
    close: () => closeSync(file),
  };
}

function lineOf({ line, column, reason, message, violations }: Rejection): string {
  const field = violations[0]?.field;
  return `${JSON.stringify({ line, column, reason, message, field, violations })}\n`;
}

// The byte behind the last whole entry that tells of those lines.
function endOfLinesUpTo(file: number, line: number): number {
  const chunk = Buffer.alloc(65_536);
  let [text, end, position] = ["", 0, 0];
  for (let size = readSync(file, chunk, 0, chunk.length, 0); size > 0; ) {
    position += size;
    text += chunk.toString("latin1", 0, size);
    const entries = text.split("\n");
    text = entries.pop()!;
    for (const entry of entries) {
      if (!(Number(/^\{"line":(\d+),/.exec(entry)?.[1]) <= line)) return end;
      end += entry.length + 1;
    }
    size = readSync(file, chunk, 0, chunk.length, position);
  }
  return end;
}
