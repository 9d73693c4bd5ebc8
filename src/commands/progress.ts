/** Shows how far a long command is: a bar on a terminal, else a line every few seconds. */
export interface Progress {
  show(state: ProgressState): void;
  /** Prints a line of its own above the bar. */
  print(line: string): void;
  /** Shows the last state for good. */
  stop(): void;
}

export interface ProgressState {
  readonly rows: number;
  /** Rows a second. */
  readonly rate: number;
  readonly rejected: number;
  /** From 0 to 1; undefined where nobody knows the end. */
  readonly share: number | undefined;
}

interface Output {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

const barWidth = 30;
const terminalMs = 100;
const plainMs = 5_000;

/** Writes progress to standard error, or what stands for it. */
export function createProgress(output: Output, clock: () => number = Date.now): Progress {
  const terminal = output.isTTY === true;
  let next = clock() + (terminal ? 0 : plainMs);
  let last: ProgressState | undefined;
  return {
    show(state) {
      last = state;
      const now = clock();
      if (now < next) return;
      next = now + (terminal ? terminalMs : plainMs);
      output.write(terminal ? `\r\x1b[K${bar(state)}${describe(state)}` : `${describe(state)}\n`);
    },
    print(line) {
      output.write(`${terminal ? "\r\x1b[K" : ""}${line}\n`);
    },
    stop() {
      if (terminal && last !== undefined) output.write(`\r\x1b[K${bar(last)}${describe(last)}\n`);
    },
  };
}

function bar({ share }: ProgressState): string {
  if (share === undefined) return "";
  const full = Math.round(Math.min(share, 1) * barWidth);
  return `${"█".repeat(full)}${"░".repeat(barWidth - full)} `;
}

function describe({ rows, rate, rejected, share }: ProgressState): string {
  const percent = share === undefined ? "" : `${Math.floor(Math.min(share, 1) * 100)} %, `;
  return `${percent}${rows} rows, ${Math.round(rate)} a second, ${rejected} rejected`;
}
