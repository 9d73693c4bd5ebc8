import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { CustomerService, CustomerType } from "../gen/clientele/v1/customers_pb.js";
import { seededId } from "./database.js";

export const calls = ["GetCustomer", "ListCustomers", "CreateCustomer", "UpdateCustomer"] as const;
export type Call = (typeof calls)[number];

/** The part of an answer that is checked; alike in a message and its JSON. */
export interface Answer {
  readonly customer?: { readonly id: string; readonly email?: string; readonly name?: string };
  readonly customers?: readonly { readonly id: string }[];
}

/** The nth request of a call, in both encodings, and what its answer must hold. */
export interface Exchange {
  readonly path: string;
  encode(n: number): Buffer;
  encodeJson(n: number): string;
  decode(bytes: Uint8Array): Answer;
  isRight(answer: Answer, n: number): boolean;
}

export const pageSize = 10;

/** The requests and expected answers on a database seeded with so many rows. */
export function exchangeOf(call: Call, rows: number): Exchange {
  // Far from the last, so that calls in flight meet different rows. A prime reaches all of them.
  const idOf = (n: number) => seededId((n * 7919) % rows);
  switch (call) {
    case "GetCustomer":
      return exchange(
        CustomerService.method.getCustomer,
        (n) => ({ id: idOf(n) }),
        ({ customer }, n) => customer?.id === idOf(n),
      );
    case "ListCustomers":
      return exchange(
        CustomerService.method.listCustomers,
        () => ({ pageSize }),
        ({ customers = [] }) =>
          customers.length === pageSize && customers.every(({ id }, place) => id === seededId(rows - 1 - place)),
      );
    case "CreateCustomer":
      return exchange(
        CustomerService.method.createCustomer,
        (n) => ({ customer: newCustomer(n) }),
        ({ customer }, n) => customer?.email === emailOf(n) && customer.id.startsWith("cus_"),
      );
    case "UpdateCustomer":
      return exchange(
        CustomerService.method.updateCustomer,
        (n) => ({ customer: { id: idOf(n), name: nameOf(n) }, updateMask: { paths: ["name"] } }),
        ({ customer }, n) => customer?.id === idOf(n) && customer.name === nameOf(n),
      );
  }
}

function exchange<Input extends DescMessage, Output extends DescMessage>(
  method: DescMethodUnary<Input, Output>,
  request: (n: number) => MessageInitShape<Input>,
  isRight: Exchange["isRight"],
): Exchange {
  const { parent, name, input, output } = method;
  return {
    path: `/${parent.typeName}/${name}`,
    encode: (n) => Buffer.from(toBinary(input, create(input, request(n)))),
    encodeJson: (n) => toJsonString(input, create(input, request(n))),
    decode: (bytes) => fromBinary(output, bytes) as Message & Answer,
    isRight,
  };
}

function newCustomer(n: number) {
  return {
    email: emailOf(n),
    name: nameOf(n),
    firstName: "Ada",
    lastName: "Lovelace",
    phone: "+44 20 7946 0958",
    country: "GB",
    locale: "en_GB",
    type: CustomerType.INDIVIDUAL,
    metadata: { loyalty: "gold", source: "bench" },
  };
}

function emailOf(n: number): string {
  return `new-${n}@example.com`;
}

function nameOf(n: number): string {
  return `Ada Lovelace ${n}`;
}
