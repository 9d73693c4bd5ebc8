import { type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { rpcError } from "../errors.js";

/** How many messages or JSON values a request may hold, one in another: to build that many takes ten milliseconds. */
export const maxValues = 20_000;
/** No encoding spells a value in fewer bytes. */
export const bytesPerValue = 2;

/** The error of a request with more values than any call needs. */
export function tooManyValues() {
  return rpcError("MESSAGE_TOO_LARGE", `The request holds more than ${maxValues} values.`);
}

/** Parses a request in protobuf. Throws INVALID_ARGUMENT, or RESOURCE_EXHAUSTED for too many values. */
export function parseBinary<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): Message {
  try {
    if (bytes.length > bytesPerValue * maxValues && countMessages(schema, bytes) > maxValues) throw tooManyValues();
    return fromBinary(schema, bytes);
  } catch (error) {
    if (error instanceof Error && error.name === "ConnectError") throw error;
    throw rpcError("REQUEST_MALFORMED", `The request is not a ${schema.typeName}.`);
  }
}

/** The message behind a field number; undefined if the field holds none. */
type Inner = (number: number) => Inner | undefined;

// Without building anything, and no further than the limit.
function countMessages(schema: DescMessage, bytes: Uint8Array): number {
  let count = 0;
  const stack = [{ inner: innerOf(schema), bytes }];
  for (let next = stack.pop(); next !== undefined && count <= maxValues; next = stack.pop()) {
    const reader = new BinaryReader(next.bytes);
    while (reader.pos < reader.len && count <= maxValues) {
      const [number, wireType] = reader.tag();
      const inner = wireType === WireType.LengthDelimited ? next.inner(number) : undefined;
      if (inner === undefined) {
        reader.skip(wireType, number);
      } else {
        count += 1;
        stack.push({ inner, bytes: reader.bytes() });
      }
    }
  }
  return count;
}

const inners = new Map<DescMessage, Inner>();

function innerOf(schema: DescMessage): Inner {
  const cachedInner = inners.get(schema);
  if (cachedInner !== undefined) return cachedInner;
  const fields = new Map(schema.fields.map((field) => [field.number, field]));
  const inner: Inner = (number) => {
    const field = fields.get(number);
    if (field?.message === undefined) return undefined;
    const ofMessage = innerOf(field.message);
    // The entry of a map holds the message at 2.
    return field.fieldKind === "map" ? (place) => (place === 2 ? ofMessage : undefined) : ofMessage;
  };
  inners.set(schema, inner);
  return inner;
}
