import { type DescMessage, type Message, toBinary, toJsonString } from "@bufbuild/protobuf";
import { parseBinary } from "../../rpc/requests/binary.js";
import { parseJson } from "../../rpc/requests/json.js";

/** How messages become bytes. */
export interface Codec {
  readonly name: "proto" | "json";
  /** Throws INVALID_ARGUMENT for bytes that are no such message. */
  readonly parse: (schema: DescMessage, bytes: Buffer) => Message;
  /** JSON stays a text, which Node sends in one piece with the header. */
  readonly serialize: (schema: DescMessage, message: Message) => Uint8Array | string;
}

/** The codecs of every protocol. */
export const codecs: Readonly<Record<Codec["name"], Codec>> = {
  proto: { name: "proto", parse: parseBinary, serialize: toBinary },
  json: {
    name: "json",
    parse: parseJson,
    serialize: toJsonString,
  },
};
