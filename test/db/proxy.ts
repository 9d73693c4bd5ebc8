import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** What the proxy does with bytes that the client sends. */
export type Treatment = "forward" | "hold" | "cut";

/** A proxy before Postgres, to lose connections at a chosen moment. */
export interface FaultyProxy {
  readonly url: string;
  /** Asked for each packet from the client: `hold` is silence, `cut` forwards it and closes before any answer. */
  treat: (packet: string) => Treatment;
  close(): Promise<void>;
}

export async function startProxy(targetUrl: string): Promise<FaultyProxy> {
  const target = new URL(targetUrl);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) sockets.add(socket.on("error", () => {}));
    let cutting = false;
    client.on("data", (data) => {
      const treatment = proxy.treat(data.toString("latin1"));
      if (treatment === "hold") return;
      cutting ||= treatment === "cut";
      upstream.write(data);
    });
    upstream.on("data", (data) => (cutting ? client.destroy() : client.write(data)));
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const url = new URL(targetUrl);
  url.port = String(typeof address === "object" ? address?.port : address);
  const proxy: FaultyProxy = {
    url: url.href,
    treat: () => "forward",
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}
