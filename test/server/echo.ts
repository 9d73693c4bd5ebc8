import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";

/** A service of every kind of stream: each answers the texts it gets. */
export const Echo = echoService();

function echoService(): DescService {
  const text = ".test.Text";
  const method = (name: string, clientStreaming: boolean, serverStreaming: boolean) => {
    return { name, inputType: text, outputType: text, clientStreaming, serverStreaming };
  };
  const file = create(FileDescriptorProtoSchema, {
    name: "test/echo.proto",
    package: "test",
    syntax: "proto3",
    messageType: [
      {
        name: "Text",
        field: [{ name: "value", number: 1, type: Type.STRING, label: Label.OPTIONAL, jsonName: "value" }],
      },
    ],
    service: [
      {
        name: "Echo",
        method: [
          method("Unary", false, false),
          method("ServerStream", false, true),
          method("ClientStream", true, false),
          method("Bidi", true, true),
        ],
      },
    ],
  });
  const service = createFileRegistry(file, () => undefined).getService("test.Echo");
  if (service === undefined) throw new Error("The echo service is not there.");
  return service;
}
