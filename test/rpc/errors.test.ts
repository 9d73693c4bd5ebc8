import { readFileSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorReasonSchema } from "../../gen/clientele/v1/errors_pb.js";
import { reasons } from "../../src/rpc/errors.js";

const contract = readFileSync("proto/clientele/v1/errors.proto", "utf8");

test("the contract lists every reason, and no other", () => {
  const [unspecified, ...values] = ErrorReasonSchema.values.map(({ name }) => name);
  expect(unspecified).toBe("ERROR_REASON_UNSPECIFIED");
  expect(values.toSorted()).toEqual(Object.keys(reasons).toSorted());
});

test.for(Object.entries(reasons).map(([reason, code]) => ({ reason, code })))(
  "the contract names the status of $reason",
  ({ reason, code }) => {
    const [, status] = new RegExp(`// ([A-Z_]+): [^\\n]*\\n  ${reason} = `).exec(contract) ?? [];
    const spelled = code === Code.Canceled ? "CANCELLED" : Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_");
    expect(status).toBe(spelled.toUpperCase());
  },
);
