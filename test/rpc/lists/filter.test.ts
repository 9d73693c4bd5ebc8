import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseFilter, printFilter } from "../../../src/rpc/lists/filter.js";
import { failureOf } from "../../support/errors.js";
import { fields, filterOf } from "./filter-cases.js";
import { matches } from "./filter-model.js";

const invalid = (description: unknown) => ({
  code: "InvalidArgument",
  message: "Could not parse the supplied filter",
  reason: "FILTER_INVALID",
  fields: { filter: description },
  retryable: false,
});
const failing = async (text: string) => await failureOf(Promise.resolve().then(() => parseFilter(text, fields)));

describe("a filter is read", () => {
  const readings = [
    ["eq(email,ron@example.com)", ["ron@example.com"]],
    ["eq( email , ron@example.com )", ["ron@example.com"]],
    [" eq (email,a b  c ) ", ["a b  c"]],
    ['in(email,a,"b,c", d)', ["a", "b,c", "d"]],
    ['eq(name,"a \\"b\\" \\\\ (c): d")', ['a "b" \\ (c): d']],
    ['eq(name," ")', [" "]],
    ['eq(name,"")', [""]],
    ['eq(name,6" pipe)', ['6" pipe']],
    ["eq(name,a\\b)", ["a\\b"]],
    ["eq(name,a:b(c)", ["a:b(c"]],
    ["eq(enabled,false)", [false]],
    ["eq(type,INDIVIDUAL)", ["individual"]],
    ["in(type,Individual,customer_type_business)", ["individual", "business"]],
    ["gt(create_time,2026-01-01T00:00:00Z)", ["2026-01-01T00:00:00.000000Z"]],
    ["gt(create_time,2026-01-01T00:30:00.5+01:00)", ["2025-12-31T23:30:00.500000Z"]],
    ["gt(create_time,2028-02-29T23:59:59.123456789-00:30)", ["2028-03-01T00:29:59.123456Z"]],
    ['eq(create_time,"0001-01-01T00:00:00Z")', ["0001-01-01T00:00:00.000000Z"]],
    ["is_null(delete_time)", []],
    ["eq(metadata.k,5)", [5]],
    ["eq(metadata.k,-1.5e3)", [-1500]],
    ["eq(metadata.k,05)", ["05"]],
    ["eq(metadata.k,1e999)", ["1e999"]],
    ['eq(metadata.k,"5")', ["5"]],
    ["eq(metadata.k,true)", [true]],
    ["eq(metadata.k,null)", ["null"]],
  ] as const;
  test.for(readings)("%s", ([text, values]) => {
    const [clause, ...rest] = parseFilter(text, fields).clauses;
    expect([clause?.operands.map(({ value }) => value), rest]).toEqual([values, []]);
  });

  const keys = [
    ["is_null(metadata.color)", "color"],
    ["is_null(metadata.a.b)", "a.b"],
    ["is_null(metadata.two words )", "two words"],
    ['is_null(metadata."a,b) \\"")', 'a,b) "'],
    ['is_null(metadata."")', ""],
  ] as const;
  test.for(keys)("with a key: %s", ([text, key]) => {
    expect(parseFilter(text, fields).clauses[0]).toMatchObject({ name: "metadata", key });
  });

  test("with several clauses, each of which must hold", () => {
    const { clauses } = parseFilter("eq(email,ron@example.com):gt(create_time,2026-01-01T00:00:00Z)", fields);
    expect(clauses.map(({ operator, name }) => [operator, name])).toEqual([
      ["eq", "email"],
      ["gt", "create_time"],
    ]);
    expect(parseFilter("", fields)).toEqual({ clauses: [] });
  });

  test("as it was printed", () => {
    fc.assert(
      fc.property(filterOf(10), (filter) => {
        expect(parseFilter(printFilter(filter), fields)).toEqual(filter);
      }),
      { numRuns: 1000 },
    );
  });

  test("up to its limits", () => {
    const name = "é".repeat((8192 - "eq(name,)".length - 1) / 2);
    expect(parseFilter(`eq(name,a${name})`, fields).clauses).toHaveLength(1);
    expect(parseFilter(Array(10).fill("is_null(name)").join(":"), fields).clauses).toHaveLength(10);
  });
});

describe("a filter is refused", () => {
  const refusals = [
    ["nonsense", "at character 1: expected an operator: eq, like, in, gt, ge, lt, le, is_null"],
    [" ", "at character 2: expected an operator: eq, like, in, gt, ge, lt, le, is_null"],
    ["EQ(name,a)", /^at character 1: expected an operator/],
    ["eq", 'at character 3: expected "("'],
    ["eq()", "at character 4: there is no such field"],
    ["eq(password,x)", "at character 4: there is no such field"],
    ["eq(constructor,x)", "at character 4: there is no such field"],
    ["eq(Name,x)", "at character 4: there is no such field"],
    ["eq(name.first,x)", 'at character 8: expected "," and a value'],
    ["eq(metadata,x)", 'at character 12: expected "." and a key of metadata'],
    ["eq(metadata.,x)", /^at character 13: expected a value/],
    ["eq(name)", 'at character 8: expected "," and a value'],
    ["eq(name,)", /^at character 9: expected a value/],
    ["eq(name,a,b)", "at character 11: too many values for eq"],
    ["is_null(name,a)", "at character 14: too many values for is_null"],
    ["in(name)", 'at character 8: expected "," and a value'],
    ["in(name,a,)", /^at character 11: expected a value/],
    ['eq(name,"a)', /^at character 9: expected a value; quoted it ends with "/],
    ['eq(name,"a\\n")', /^at character 9: expected a value; quoted it ends with "/],
    ['eq(name,"a"b)', 'at character 12: expected "," or ")"'],
    ["eq(name,a", 'at character 10: expected "," or ")"'],
    ["eq(name,a))", 'at character 11: expected ":" and another clause, or the end'],
    ["eq(name,a) eq(name,a)", 'at character 12: expected ":" and another clause, or the end'],
    ["eq(name,a):", /^at character 12: expected an operator/],
    ["eq(name,\u{1f600}):x", /^at character 12: expected an operator/],
    ["like(create_time,2026*)", "at character 1: like does not go with create_time"],
    ["gt(enabled,true)", "at character 1: gt does not go with enabled"],
    ["like(type,IND*)", "at character 1: like does not go with type"],
    ["eq(enabled,yes)", "at character 12: expected true or false"],
    ["eq(type,GROUP)", "at character 9: expected one of INDIVIDUAL, CUSTOMER_TYPE_BUSINESS"],
    ["eq(type,toString)", /^at character 9: expected one of/],
    ...[
      "2026-01-01",
      "2026-02-30T00:00:00Z",
      "2026-13-01T00:00:00Z",
      "2026-01-01T24:00:00Z",
      "2026-01-01T00:00:00",
    ].map(
      (time) => [`eq(create_time,${time})`, "at character 16: expected a time such as 2026-01-01T00:00:00Z"] as const,
    ),
    ["eq(create_time,0001-01-01T00:00:00+00:01)", /^at character 16: expected a time/],
    ["eq(create_time,9999-12-31T23:59:59-00:01)", /^at character 16: expected a time/],
    ["eq(name,a\0)", "at character 10: this character cannot be stored"],
    ["eq(name,\ud800)", "at character 9: this character cannot be stored"],
    [Array(11).fill("is_null(name)").join(":"), "at character 141: more than 10 clauses"],
    [`eq(name,${"a".repeat(8192 - 8)})`, "is longer than 8192 bytes"],
    [`eq(name,${"é".repeat(4092)})`, "is longer than 8192 bytes"],
  ] as const;
  test.for(refusals)("%s", async ([text, description]) => {
    expect(await failing(text)).toEqual(
      invalid(description instanceof RegExp ? expect.stringMatching(description) : description),
    );
  });

  test("any text is read or refused", async () => {
    const pieces = [
      "eq",
      "in",
      "like",
      "is_null",
      "(",
      ")",
      ",",
      ":",
      '"',
      "\\",
      "name",
      "metadata",
      ".",
      "enabled",
      " ",
    ];
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom(...pieces), maxLength: 40 }),
      fc.tuple(filterOf(3).map(printFilter), fc.nat(), fc.constantFrom("", ...pieces)).map(([printed, at, piece]) => {
        const place = at % (printed.length + 1);
        return printed.slice(0, place) + piece + printed.slice(place + 1);
      }),
    );
    await fc.assert(
      fc.asyncProperty(text, async (given) => {
        try {
          const filter = parseFilter(given, fields);
          expect(parseFilter(printFilter(filter), fields)).toEqual(filter);
        } catch {
          expect(await failing(given)).toEqual(invalid(expect.stringMatching(/^at character \d+: |^is longer/)));
        }
      }),
      { numRuns: 1500 },
    );
  });

  test("in no time, however long it is", async () => {
    for (const part of ["(", '"', "\\", " ", "a ", '\\"', ",", "eq(name,"]) {
      const started = process.cpuUsage();
      await failing(`eq(name,"${part.repeat(8000 / part.length)}`);
      await failing(`eq(name,${part.repeat(8000 / part.length)}`);
      expect(process.cpuUsage(started).user, part).toBeLessThan(500_000);
    }
  });
});

describe("a row matches", () => {
  const ada = {
    email: "Ada@Example.com",
    name: "Ada *Lovelace*",
    create_time: new Date("2026-01-01T00:00:00.500Z"),
    delete_time: null,
    enabled: true,
    type: "individual",
    metadata: { size: 5, label: "5", vip: true, tags: ["a"], none: null, "two words": "x", \u00e9: "\u{1f600}" },
  };
  const answers = [
    ["eq(email,ada@example.COM)", true],
    ["eq(name,ada *lovelace*)", false],
    ["eq(name,Ada *Lovelace*)", true],
    ["like(email,*@example.com)", true],
    ["like(email,example)", false],
    ["like(name,ADA*)", true],
    ["like(name,a*a*a)", false],
    ["like(name,*\\*love*\\*)", true],
    ["like(name,\\*)", false],
    ["in(type,CUSTOMER_TYPE_BUSINESS,INDIVIDUAL)", true],
    ["gt(name,Ad)", true],
    ["gt(name,a)", false],
    ["gt(email,ADA)", true],
    ["ge(create_time,2026-01-01T00:00:00.5Z)", true],
    ["gt(create_time,2026-01-01T00:00:00.499999Z)", true],
    ["ge(create_time,2026-01-01T00:00:00.500001Z)", false],
    ["eq(create_time,2026-01-01T01:00:00.5+01:00)", true],
    ["is_null(delete_time)", true],
    ["lt(delete_time,2026-01-01T00:00:00Z)", false],
    ["is_null(name)", false],
    ["eq(metadata.size,5)", true],
    ["eq(metadata.size,5.0)", true],
    ['eq(metadata.size,"5")', false],
    ["eq(metadata.label,5)", true],
    ["eq(metadata.label,5.0)", false],
    ['eq(metadata.label,"5")', true],
    ["gt(metadata.size,4.9)", true],
    ["gt(metadata.label,4)", false],
    ['gt(metadata.label,"4")', true],
    ["lt(metadata.size,a)", false],
    ["eq(metadata.vip,true)", true],
    ['eq(metadata.vip,"true")', false],
    ["eq(metadata.tags,a)", false],
    ["is_null(metadata.tags)", false],
    ["is_null(metadata.none)", true],
    ["is_null(metadata.absent)", true],
    ["is_null(metadata.toString)", true],
    ["eq(metadata.two words,x)", true],
    ["gt(metadata.\u00e9,\uffee)", true],
    ["eq(enabled,true):is_null(delete_time):eq(name,x)", false],
    ["", true],
  ] as const;
  test.for(answers)("%s: %s", ([text, want]) => {
    expect(matches(parseFilter(text, fields), ada)).toBe(want);
  });
});
