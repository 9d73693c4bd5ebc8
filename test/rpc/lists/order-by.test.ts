import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseOrderBy } from "../../../src/rpc/lists/order-by.js";
import { failureOf } from "../../support/errors.js";

const fields = { id: { nullable: false }, email: { nullable: true }, update_time: { nullable: false } };
const term = (column: string, descending: boolean, nullable: boolean) => ({ column, descending, nullable });

describe("an order is read", () => {
  const readings = [
    ["", []],
    [" ", []],
    ["email", [term("email", false, true)]],
    ["update_time desc", [term("update_time", true, false)]],
    ["update_time desc, email", [term("update_time", true, false), term("email", false, true)]],
    [
      "  email  asc ,id,update_time   desc ",
      [term("email", false, true), term("id", false, false), term("update_time", true, false)],
    ],
  ] as const;
  test.for(readings)("%j", ([text, want]) => {
    expect(parseOrderBy(text, fields)).toEqual(want);
  });
});

describe("an order is refused", () => {
  const refusals = [
    ["name", "term 1 is none of id, email, update_time"],
    ["email,", "term 2 is none of id, email, update_time"],
    ["toString", "term 1 is none of id, email, update_time"],
    ["Email", "term 1 is none of id, email, update_time"],
    ["email; drop table customers", "term 1 is none of id, email, update_time"],
    ["email DESC", "term 1 must be a field, or a field and desc"],
    ["id, email desc desc", "term 2 must be a field, or a field and desc"],
    ["email, id, email desc", "names a field twice"],
    ["id, email, update_time, id", "names more than 3 fields"],
    [",".repeat(1_000_000), "names more than 3 fields"],
  ] as const;
  test.for(refusals)("%s", async ([text, description]) => {
    expect(await failing(text)).toMatchObject(invalid(description));
  });

  test("any text is read or refused", async () => {
    const text = fc.string({ unit: fc.oneof(fc.constantFrom("email", "id", " ", ",", "desc"), fc.string()) });
    await fc.assert(
      fc.asyncProperty(text, async (given) => {
        try {
          expect(parseOrderBy(given, fields).length).toBeLessThanOrEqual(3);
        } catch {
          expect(await failing(given)).toMatchObject(invalid(expect.any(String)));
        }
      }),
    );
  });
});

async function failing(text: string) {
  return await failureOf(Promise.resolve().then(() => parseOrderBy(text, fields)));
}

function invalid(description: unknown) {
  return { code: "InvalidArgument", reason: "ORDER_BY_INVALID", fields: { order_by: description } };
}
