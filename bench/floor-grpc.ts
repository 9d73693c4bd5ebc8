import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Server, ServerCredentials, type sendUnaryData } from "@grpc/grpc-js";
import {
  type Customer,
  CustomerSchema,
  CustomerService,
  CustomerState,
  CustomerType,
} from "../gen/clientele/v1/customers_pb.js";
import { createFloorStore, derived, type FloorRow, type FloorSettings } from "./floor-store.js";

// The floor of both gRPC ports: a process of its own with what nobody can leave out.
const settings: FloorSettings = JSON.parse(process.argv[2] ?? "");
const store = createFloorStore(settings);
const server = new Server();
const { getCustomer, listCustomers, createCustomer, updateCustomer } = CustomerService.method;

handle(getCustomer, async ({ id }) => {
  return create(getCustomer.output, customer(await store.find(id)));
});
handle(listCustomers, async ({ pageSize }) => {
  // One more, as the service does to know whether there is a next page.
  const rows = await store.list(pageSize + 1);
  return create(listCustomers.output, { customers: rows.slice(0, pageSize).map(customerOf) });
});
handle(createCustomer, async (request) => {
  return create(createCustomer.output, customer(await store.insert(request.customer!)));
});
handle(updateCustomer, async (request) => {
  const { id, name = "" } = request.customer!;
  return create(updateCustomer.output, customer(await store.update(id, name)));
});

server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.send?.({ port });
});

interface Method<Input extends DescMessage, Output extends DescMessage> {
  readonly parent: { readonly typeName: string };
  readonly name: string;
  readonly input: Input;
  readonly output: Output;
}

function handle<Input extends DescMessage, Output extends DescMessage>(
  { parent, name, input, output }: Method<Input, Output>,
  handler: (request: MessageShape<Input>) => Promise<MessageShape<Output>>,
): void {
  type Reply = sendUnaryData<MessageShape<Output>>;
  server.register(
    `/${parent.typeName}/${name}`,
    ((call: { request: MessageShape<Input> }, reply: Reply) => {
      handler(call.request).then((answer) => reply(null, answer), reply);
    }) as never,
    (message: MessageShape<Output>) => Buffer.from(toBinary(output, message)),
    (bytes: Buffer) => fromBinary(input, bytes),
    "unary",
  );
}

function customer(row: FloorRow | undefined): { customer: Customer } {
  if (row === undefined) throw new Error("no such customer");
  return { customer: customerOf(row) };
}

function customerOf(row: FloorRow): Customer {
  return create(CustomerSchema, {
    id: row.id,
    email: row.email,
    name: row.name,
    firstName: row.first_name,
    lastName: row.last_name,
    displayName: row.email,
    phone: row.phone,
    country: row.country,
    countryName: derived.countryName,
    locale: row.locale,
    type: CustomerType.INDIVIDUAL,
    enabled: row.enabled,
    photoUrl: derived.photoUrl,
    metadata: row.metadata,
    state: CustomerState.ACTIVE,
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
    etag: row.version,
  });
}
