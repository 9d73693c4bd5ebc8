import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";

/** One caller of the internal port, who makes one call at a time. */
export function openCaller(port: number, key: string) {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("api-key", key);
  return {
    call: <Input extends DescMessage, Output extends DescMessage>(
      { parent, name, input, output }: DescMethodUnary<Input, Output>,
      request: MessageInitShape<Input>,
    ) =>
      new Promise<MessageShape<Output>>((resolve, reject) => {
        client.makeUnaryRequest<MessageInitShape<Input>, MessageShape<Output>>(
          `/${parent.typeName}/${name}`,
          (init) => Buffer.from(toBinary(input, create(input, init))),
          (bytes) => fromBinary(output, bytes),
          request,
          metadata,
          (error, answer) => (error === null ? resolve(answer!) : reject(error)),
        );
      }),
    close: () => client.close(),
  };
}

export type Caller = ReturnType<typeof openCaller>;

/** The milliseconds that a call takes, sorted. */
export async function timesOf(count: number, call: (n: number) => Promise<unknown>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const start = performance.now();
    await call(n);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b);
}

/** The value below which a part of sorted values lies. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.ceil(sorted.length * part) - 1]!;
}
