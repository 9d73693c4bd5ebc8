import { clone, create, equals, type JsonObject, type MessageShape } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { type Customer, CustomerSchema, CustomerType } from "../../../gen/clientele/v1/customers_pb.js";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { applyMask, changedPaths, mergeObject, populatedPaths } from "../../../src/rpc/requests/field-mask.js";

const writable = ["email", "name", "first_name", "phone", "type", "enabled", "metadata"];
const scalars = writable.filter((name) => name !== "metadata");
const readOnly = CustomerSchema.fields.map((field) => field.name).filter((name) => !writable.includes(name));

const text = fc.string({ maxLength: 8, unit: "binary" });
const keys = fc.oneof(fc.constantFrom("a", "b", "a.b", "", "__proto__", "constructor"), text);
const values = fc.oneof(text, fc.constant(""), fc.constant(null), fc.jsonValue({ maxDepth: 2 }));
const objects = fc
  .array(fc.tuple(keys, values), { maxLength: 6 })
  .map((entries) => Object.fromEntries(entries) as JsonObject);

const customers: fc.Arbitrary<Customer> = fc
  .record(
    {
      id: text,
      etag: text,
      email: text,
      name: text,
      firstName: text,
      phone: text,
      countryName: text,
      type: fc.constantFrom(CustomerType.UNSPECIFIED, CustomerType.INDIVIDUAL, CustomerType.BUSINESS),
      enabled: fc.boolean(),
      liveMode: fc.boolean(),
      metadata: objects,
    },
    { requiredKeys: [] },
  )
  .map((init) => create(CustomerSchema, init));
const masks = fc.uniqueArray(fc.constantFrom(...writable), { minLength: 1 });

const maskOf = (paths: readonly string[]) => create(FieldMaskSchema, { paths: [...paths] });
const apply = (current: Customer, changes: Customer, paths?: readonly string[]) =>
  applyMask(CustomerSchema, current, changes, paths && maskOf(paths), writable);
const same = (one: Customer, other: Customer) => equals(CustomerSchema, one, other);

/** A message that holds these fields only. */
function only(message: Customer, names: readonly string[]): Customer {
  const part = reflect(CustomerSchema, clone(CustomerSchema, message));
  for (const field of CustomerSchema.fields) if (!names.includes(field.name)) part.clear(field);
  return part.message as MessageShape<typeof CustomerSchema>;
}

describe("an update", () => {
  test("changes neither what it is applied to nor what it is made of", () => {
    fc.assert(
      fc.property(customers, customers, masks, (current, changes, mask) => {
        const [before, given] = [clone(CustomerSchema, current), clone(CustomerSchema, changes)];
        apply(current, changes, mask);
        expect(same(current, before) && same(changes, given)).toBe(true);
      }),
    );
  });

  test("gives every masked field the new value, and leaves every other as it was", () => {
    fc.assert(
      fc.property(
        customers,
        customers,
        fc.uniqueArray(fc.constantFrom(...scalars), { minLength: 1 }),
        (current, changes, mask) => {
          const { next } = apply(current, changes, mask);
          const others = CustomerSchema.fields.map((field) => field.name).filter((name) => !mask.includes(name));
          expect(same(only(next, mask), only(changes, mask))).toBe(true);
          expect(same(only(next, others), only(current, others))).toBe(true);
        },
      ),
    );
  });

  test("without a mask is one of the populated fields", () => {
    fc.assert(
      fc.property(customers, customers, (current, changes) => {
        const populated = populatedPaths(CustomerSchema, changes, writable);
        const expected = populated.length === 0 ? current : apply(current, changes, populated).next;
        expect(same(apply(current, changes).next, expected)).toBe(true);
        expect(same(apply(current, changes, []).next, expected)).toBe(true);
      }),
    );
  });

  test("with * makes every writable field the new one, and no other", () => {
    fc.assert(
      fc.property(customers, customers, (current, changes) => {
        const { next } = apply(current, changes, ["*"]);
        expect(same(only(next, writable), only(changes, writable))).toBe(true);
        expect(same(only(next, readOnly), only(current, readOnly))).toBe(true);
      }),
    );
  });

  test("made twice is made once", () => {
    fc.assert(
      fc.property(
        customers,
        customers,
        fc.oneof(masks, fc.constant(["*"]), fc.constant([])),
        (current, changes, mask) => {
          const once = apply(current, changes, mask).next;
          expect(apply(once, changes, mask)).toEqual({ next: once, changedPaths: [] });
        },
      ),
    );
  });

  test("is the same for every order and repetition of its paths", () => {
    fc.assert(
      fc.property(customers, customers, masks, (current, changes, mask) => {
        const { next } = apply(current, changes, mask);
        expect(same(apply(current, changes, [...mask.toReversed(), ...mask]).next, next)).toBe(true);
      }),
    );
  });

  test("names as changed exactly the fields that differ, all of them masked", () => {
    fc.assert(
      fc.property(customers, customers, masks, (current, changes, mask) => {
        const { next, changedPaths: changed } = apply(current, changes, mask);
        expect(changed).toEqual(changedPaths(CustomerSchema, current, next));
        expect(mask).toEqual(expect.arrayContaining(changed));
        expect(changed.length === 0).toBe(same(current, next));
      }),
    );
  });

  test("refuses a path that is not writable, and names each such path", () => {
    const bad = fc.oneof(fc.constantFrom("nothing", "name.first", "Email", "", ".", "metadata "), text);
    fc.assert(
      fc.property(
        customers,
        customers,
        fc.uniqueArray(bad, { minLength: 1 }),
        masks,
        (current, changes, given, mask) => {
          const wrong = given.filter(
            (path) => path !== "*" && !writable.includes(path) && !path.startsWith("metadata."),
          );
          fc.pre(wrong.length > 0);
          const violations = violationsOf(() => apply(current, changes, [...mask, ...wrong]));
          expect(violations).toHaveLength(wrong.length);
        },
      ),
    );
  });
});

describe("a JSON object", () => {
  test("merges key by key; null and an empty string delete", () => {
    fc.assert(
      fc.property(customers, objects, (current, metadata) => {
        const base = current.metadata ?? {};
        const { next } = apply(current, create(CustomerSchema, { metadata }), ["metadata"]);
        for (const key of new Set([...Object.keys(base), ...Object.keys(metadata)])) {
          const patched = Object.hasOwn(metadata, key) ? metadata[key] : base[key];
          const gone = patched === null || patched === "";
          expect(Object.hasOwn(next.metadata!, key), key).toBe(!gone);
          if (!gone) expect(next.metadata![key]).toEqual(patched);
        }
      }),
    );
  });

  test("is replaced under *", () => {
    fc.assert(
      fc.property(customers, objects, (current, metadata) => {
        const { next } = apply(current, create(CustomerSchema, { metadata }), ["*"]);
        expect(next.metadata).toEqual(metadata);
      }),
    );
  });

  test("changes one key only when the mask names it, and loses it when the update has none", () => {
    fc.assert(
      fc.property(objects, objects, keys, (base, metadata, key) => {
        const current = create(CustomerSchema, { metadata: base });
        const { next } = apply(current, create(CustomerSchema, { metadata }), [`metadata.${key}`]);
        const value = Object.hasOwn(metadata, key) ? metadata[key]! : null;
        expect(next.metadata).toEqual(mergeObject(base, Object.fromEntries([[key, value]])));
      }),
    );
  });

  test("never reaches a prototype", () => {
    const evil = JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}');
    const { next } = apply(create(CustomerSchema), create(CustomerSchema, { metadata: evil }), ["metadata"]);
    expect(Object.keys(next.metadata!)).toEqual(["__proto__", "constructor"]);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });
});

test("a message within a message is replaced whole", () => {
  const current = create(AddressSchema, { additionalAddressInfo: { neighborhood: "Old", division: "Old" } });
  const changes = create(AddressSchema, { additionalAddressInfo: { neighborhood: "New" } });
  const mask = maskOf(["additional_address_info"]);
  const { next } = applyMask(AddressSchema, current, changes, mask, ["additional_address_info"]);
  expect(next.additionalAddressInfo).toMatchObject({ neighborhood: "New" });
  expect(next.additionalAddressInfo?.division).toBeUndefined();
});

function violationsOf(act: () => unknown) {
  try {
    act();
  } catch (error) {
    if (error instanceof ConnectError) return error.findDetails(BadRequestSchema)[0]?.fieldViolations;
    throw error;
  }
  return expect.fail("the update was accepted");
}
