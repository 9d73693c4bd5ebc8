import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { benchCalls, type CallsOptions, ports } from "./calls.js";
import { benchGrowth } from "./growth.js";
import { type HttpOptions, measureHttp } from "./http.js";
import { calls } from "./requests.js";
import { benchSearch } from "./search.js";

// One line for each suite: npm run bench -- <suite>
const suites: Readonly<Record<string, (options: CallsOptions) => Promise<void>>> = {
  calls: benchCalls,
  search: benchSearch,
  growth: benchGrowth,
};

const program = new Command("bench")
  .description("Measures Clientele beside the barest servers that do the same. Let nothing else run meanwhile.")
  .addArgument(new Argument("[suite]", "what to measure").choices(Object.keys(suites)).default("calls"))
  .option("--rows <count>", "customers in the database", atLeast(20), 10_000)
  .option("--connections <count>", "connections of the gRPC client; HTTP/1.1 takes one per call", atLeast(1), 4)
  .option("--concurrency <count>", "calls in flight", atLeast(1), 32)
  .option("--seconds <seconds>", "length of one measured run", moreThanZero, 2)
  .option("--warmup <seconds>", "load before the first run of each side", moreThanZero, 2)
  .option("--rounds <count>", "runs of each side in turn; the table shows medians", atLeast(1), 3)
  .addOption(new Option("--only <call...>", "these calls only").choices(calls).default(calls, "all"))
  .addOption(
    new Option("--on <port...>", "these ports only").choices(Object.keys(ports)).default(Object.keys(ports), "all"),
  )
  .option("--cpu-prof <folder>", "write a CPU profile of the service to this folder; it slows the service down");

program.action(async (suite: string, options: CallsOptions) => {
  await suites[suite]!(options);
});

program
  .command("http")
  .description("Measures any HTTP server that runs already, such as a peer; see bench/peers.md.")
  .requiredOption("--url <url>", "what to request; {n} stands for the number of the request")
  .option("--method <method>", "GET, POST and the like", "GET")
  .option("--header <header...>", "such as 'authorization: Bearer …'", [])
  .option("--body <text>", "what to send; {n} as in the URL")
  .requiredOption("--pid <pid>", "the process whose CPU counts, with its children", atLeast(1))
  .option("--postmaster <pid>", "the Postgres whose CPU counts", atLeast(1))
  .option("--concurrency <count>", "requests in flight, each on a connection of its own", atLeast(1), 32)
  .option("--seconds <seconds>", "length of one measured run", moreThanZero, 5)
  .option("--rounds <count>", "runs; the medians are printed", atLeast(1), 3)
  .action(async (options: HttpOptions) => measureHttp(options));

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

function atLeast(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) throw new InvalidArgumentError(`at least ${least}`);
    return value;
  };
}

function moreThanZero(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("more than 0");
  return value;
}
