import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { SettingsPreset } from "../gen/clientele/v1/accounts_pb.js";
import { useClientele } from "./support/clientele.js";

const clientele = useClientele();

const examples = [
  { file: "examples/grpc.ts", target: () => clientele.grpcAddress, buyer: /^Customer: john\.\w+@example\.com$/ },
  {
    file: "examples/connect-web.ts",
    target: () => new URL(clientele.httpUrl).host,
    buyer: /^Customer: jane\.\w+@example\.com$/,
  },
];

test.for(examples)("$file prints the output of SimpleCheckout's example, on every run", async (example) => {
  const { testKey } = await clientele.createAccount(SettingsPreset.SIMPLE_CHECKOUT);
  const runs = [
    await runOf(example.file, example.target(), testKey),
    await runOf(example.file, example.target(), testKey),
  ];
  for (const output of runs) {
    expect(output.trim().split("\n")).toEqual([
      expect.stringMatching(/^Created customer: cus_\w{26}$/),
      expect.stringMatching(/^Created address: adr_\w{26}$/),
      "Set as default address",
      "Set default payment method",
      expect.stringMatching(/^Created checkout: chk_\w{26}$/),
      expect.stringMatching(example.buyer),
      expect.stringMatching(/^Next checkout: chk_\w{26}$/),
    ]);
  }
});

async function runOf(file: string, target: string, key: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", file, target, key]);
  return stdout;
}
