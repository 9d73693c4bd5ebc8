import type { Measure } from "./load.js";

/** The medians of both sides. */
export interface Row {
  readonly call: string;
  readonly service: Measure;
  readonly floor: Measure;
}

/** The median of each number over several runs. */
export function medianOf(runs: readonly Measure[]): Measure {
  const of = (key: keyof Measure) => median(runs.map((run) => run[key]));
  return {
    perSecond: of("perSecond"),
    serverCpu: of("serverCpu"),
    postgresCpu: of("postgresCpu"),
    clientCpu: of("clientCpu"),
    p50: of("p50"),
    p99: of("p99"),
  };
}

const columns: readonly { title: string; key: keyof Measure; digits: number }[] = [
  { title: "requests/s", key: "perSecond", digits: 0 },
  { title: "server CPU µs", key: "serverCpu", digits: 0 },
  { title: "Postgres CPU µs", key: "postgresCpu", digits: 0 },
  { title: "p50 ms", key: "p50", digits: 1 },
  { title: "p99 ms", key: "p99", digits: 1 },
];
const [nameWidth, width] = [16, 9];

/** A table of one port: the service beside its floor, ratios last. */
export function table(port: string, rows: readonly Row[]): string {
  const head = [port.padEnd(nameWidth), ...columns.map(({ title }) => title.padStart(2 * width))];
  const sides = columns.map(() => "service".padStart(width) + "floor".padStart(width));
  const ratios = ["requests/s", "CPU"].map((title) => title.padStart(11)).join("");
  return [
    head.join("") + "service / floor".padStart(22),
    " ".repeat(nameWidth) + sides.join("") + ratios,
    ...rows.map(line),
  ].join("\n");
}

function line({ call, service, floor }: Row): string {
  const cells = columns.flatMap(({ key, digits }) => [service, floor].map((side) => side[key].toFixed(digits)));
  const ratios = [service.perSecond / floor.perSecond, service.serverCpu / floor.serverCpu];
  return [
    call.padEnd(nameWidth),
    ...cells.map((cell) => cell.padStart(width)),
    ...ratios.map((ratio) => ratio.toFixed(2).padStart(11)),
  ].join("");
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
