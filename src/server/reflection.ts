import { type DescExtension, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import type {
  ServerReflectionRequest as Request,
  ServerReflection,
} from "../../gen/grpc/reflection/v1/reflection_pb.js";
import type {
  ServerReflectionRequest as RequestV1Alpha,
  ServerReflection as ServerReflectionV1Alpha,
} from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";

/** The two versions of reflection; they differ in their name only. */
export interface Reflection {
  readonly v1: ServiceImpl<typeof ServerReflection>;
  readonly v1alpha: ServiceImpl<typeof ServerReflectionV1Alpha>;
}

/**
 * Lets tools read the contract of these services from the server: their files with everything these import.
 * A missing symbol gets an error response inside the stream, as the protocol asks.
 */
export function reflectionServices(services: readonly DescService[]): Reflection {
  const answer = createAnswer(services);
  async function* answers<R extends Request | RequestV1Alpha>(requests: AsyncIterable<R>) {
    for await (const request of requests) {
      yield { validHost: request.host, originalRequest: request, messageResponse: answer(request.messageRequest) };
    }
  }
  return {
    v1: { serverReflectionInfo: (requests) => answers(requests) },
    v1alpha: { serverReflectionInfo: (requests) => answers(requests) },
  };
}

function createAnswer(services: readonly DescService[]) {
  const files = closure(services.map((service) => service.file));
  const fileNames = new Map(files.map((file) => [`${file.name}.proto`, file]));
  const symbols = new Map(files.flatMap((file) => symbolsOf(file).map((symbol) => [symbol, file] as const)));
  const extensions = new Map(
    files.flatMap(extensionsOf).map((ext) => [extensionKey(ext.extendee.typeName, ext.number), ext]),
  );

  return (query: Request["messageRequest"] | RequestV1Alpha["messageRequest"]) => {
    switch (query.case) {
      case "listServices": {
        const service = services.map(({ typeName }) => ({ name: typeName })).sort((a, b) => (a.name < b.name ? -1 : 1));
        return { case: "listServicesResponse" as const, value: { service } };
      }
      case "fileByFilename":
        return filesOrNotFound(fileNames.get(query.value));
      case "fileContainingSymbol":
        return filesOrNotFound(symbols.get(query.value));
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = query.value;
        return filesOrNotFound(extensions.get(extensionKey(containingType, extensionNumber))?.file);
      }
      case "allExtensionNumbersOfType": {
        if (!symbols.has(query.value)) return notFound();
        const matches = [...extensions.values()].filter((ext) => ext.extendee.typeName === query.value);
        const extensionNumber = matches.map((ext) => ext.number).sort((a, b) => a - b);
        return { case: "allExtensionNumbersResponse" as const, value: { baseTypeName: query.value, extensionNumber } };
      }
      default:
        return errorResponse(Code.InvalidArgument, "The request asks for nothing.");
    }
  };
}

// A file goes with all it imports, so that a client needs one question.
function filesOrNotFound(file: DescFile | undefined) {
  if (file === undefined) return notFound();
  const fileDescriptorProto = closure([file]).map(bytesOf);
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } };
}

// Made once: they never change, and there are hundreds of kilobytes of them.
const bytes = new WeakMap<DescFile, Uint8Array>();

function bytesOf(file: DescFile): Uint8Array {
  const content = bytes.get(file) ?? toBinary(FileDescriptorProtoSchema, file.proto);
  bytes.set(file, content);
  return content;
}

function notFound() {
  return errorResponse(Code.NotFound, "There is no such thing in the contract.");
}

function errorResponse(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}

function closure(roots: readonly DescFile[]): DescFile[] {
  const files = new Set<DescFile>();
  const visit = (file: DescFile) => {
    if (files.has(file)) return;
    files.add(file);
    file.dependencies.forEach(visit);
  };
  roots.forEach(visit);
  return [...files];
}

function symbolsOf(file: DescFile): string[] {
  return [...nestedTypes(file)].flatMap((type) => {
    switch (type.kind) {
      case "service":
        return [type.typeName, ...type.methods.map((method) => `${type.typeName}.${method.name}`)];
      case "message":
        return [type.typeName, ...[...type.fields, ...type.oneofs].map((member) => `${type.typeName}.${member.name}`)];
      case "enum": {
        // Values of an enum are its siblings, not its members.
        const scope = type.typeName.slice(0, -type.name.length);
        return [type.typeName, ...type.values.map((value) => scope + value.name)];
      }
      default:
        return [type.typeName];
    }
  });
}

function extensionsOf(file: DescFile): DescExtension[] {
  return [...nestedTypes(file)].filter((type) => type.kind === "extension");
}

function extensionKey(extendee: string, number: number): string {
  return `${extendee}:${number}`;
}
