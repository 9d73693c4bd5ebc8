import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** One process behind a balancer: the addresses that connections go to, and the page that tells whether they may. */
export interface Backend {
  readonly httpUrl: string;
  readonly grpcAddress: string;
}

/** A balancer of connections, as it is known from the cloud: it looks at `/readyz` every so often, and retries nothing. */
export interface Balancer extends AsyncDisposable, Backend {
  add(backend: Backend): void;
  /** Resolves when the balancer sends connections to the backend. */
  ready(backend: Backend): Promise<void>;
}

/** Starts a balancer in front of both ports of its backends. */
export async function startBalancer(pollMs: number): Promise<Balancer> {
  const backends: Backend[] = [];
  const usable = new Set<Backend>();
  const sockets = new Set<Socket>();
  let turn = 0;
  const polling = setInterval(() => void poll(), pollMs);
  const http = await listen(({ httpUrl }) => new URL(httpUrl).host);
  const grpc = await listen(({ grpcAddress }) => grpcAddress);
  return {
    httpUrl: `http://127.0.0.1:${portOf(http)}`,
    grpcAddress: `127.0.0.1:${portOf(grpc)}`,
    add: (backend) => void backends.push(backend),
    async ready(backend) {
      while (!usable.has(backend)) await poll();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(polling);
      for (const socket of sockets) socket.destroy();
      await Promise.all([http, grpc].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };

  async function poll(): Promise<void> {
    await Promise.all(
      backends.map(async (backend) => {
        const answer = await fetch(`${backend.httpUrl}/readyz`).catch(() => undefined);
        if (answer?.status === 200) usable.add(backend);
        else usable.delete(backend);
        await answer?.text();
      }),
    );
  }

  async function listen(addressOf: (backend: Backend) => string) {
    const server = createServer((client) => {
      const ready = [...usable];
      const backend = ready[turn++ % ready.length];
      if (backend === undefined) return client.destroy();
      const [host, port] = addressOf(backend).split(":");
      join(client, connect(Number(port), host));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  }

  function join(client: Socket, server: Socket): void {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.once("close", () => sockets.delete(from));
    }
  }
}

function portOf(server: { address(): AddressInfo | string | null }): number {
  return (server.address() as AddressInfo).port;
}
