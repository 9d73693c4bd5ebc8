import { Agent, request } from "node:http";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { Answer, Exchange } from "./requests.js";

/** Connections to a server. A call rejects unless its status is OK. */
export interface Connections {
  call(n: number): Promise<Answer>;
  close(): void;
}

/** How to reach a server, and with which key. A floor ignores the key. */
export interface Target {
  readonly protocol: "grpc" | "json";
  readonly port: number;
  readonly key: string;
  readonly connections: number;
  readonly concurrency: number;
}

export function open(target: Target, exchange: Exchange): Connections {
  return target.protocol === "grpc" ? openGrpc(target, exchange) : openJson(target, exchange);
}

function openGrpc({ port, key, connections }: Target, exchange: Exchange): Connections {
  const { path, encode, decode } = exchange;
  // Clients of the same address would otherwise share one connection.
  const options = { "grpc.use_local_subchannel_pool": 1 };
  const clients = Array.from(
    { length: connections },
    () => new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options),
  );
  const metadata = new Metadata();
  metadata.set("api-key", key);
  return {
    call: (n) =>
      new Promise((resolve, reject) => {
        const client = clients[n % clients.length]!;
        client.makeUnaryRequest(path, encode, decode, n, metadata, (error, answer) => {
          if (error !== null || answer === undefined) reject(error ?? new Error("no answer"));
          else resolve(answer);
        });
      }),
    close: () => {
      for (const client of clients) client.close();
    },
  };
}

// HTTP/1.1 carries one call at a time on a connection, so there are as many as calls in flight.
function openJson({ port, key, concurrency }: Target, { path, encodeJson }: Exchange): Connections {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const headers = { "content-type": "application/json", "api-key": key };
  const target = { agent, host: "127.0.0.1", port, path, method: "POST" };
  return {
    call: (n) =>
      new Promise((resolve, reject) => {
        const body = Buffer.from(encodeJson(n));
        const sent = request({ ...target, headers: { ...headers, "content-length": body.length } }, (res) => {
          const chunks: Buffer[] = [];
          res.on("data", (chunk) => chunks.push(chunk));
          res.on("error", reject);
          res.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            if (res.statusCode === 200) resolve(JSON.parse(text));
            else reject(new Error(`HTTP ${res.statusCode}: ${text}`));
          });
        });
        sent.on("error", reject);
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}
