import type { DescEnum } from "@bufbuild/protobuf";

/**
 * How an enum is stored: the value's name without the enum's prefix, in lower case, so that `THING_KIND_LARGE` is
 * `large`. UNSPECIFIED is null.
 */
export function enumColumn<Value extends number>(descriptor: DescEnum) {
  const prefix = descriptor.sharedPrefix?.length ?? 0;
  const nameOf = new Map(descriptor.values.map((value) => [value.number, value.name.slice(prefix).toLowerCase()]));
  const numberOf = new Map([...nameOf].map(([number, name]) => [name, number]));
  return {
    toColumn: (value: Value): string | null => (value === 0 ? null : (nameOf.get(value) ?? null)),
    fromColumn: (name: string | null): Value => (name === null ? 0 : (numberOf.get(name) ?? 0)) as Value,
  };
}
