import type { Config } from "./config.js";
import type { CreatedAccount } from "./resources/accounts/create.js";
import type { Ports } from "./serve.js";

/** The text that `serve` prints: its addresses, and on the first start lines to paste with the demo account's key. */
export function welcome(
  config: Config,
  { httpPort, grpcPort, metricsPort }: Ports,
  demo: CreatedAccount | undefined,
): string {
  const scheme = config.tls === undefined ? "http" : "https";
  const anywhere = config.host === "0.0.0.0" || config.host === "::";
  const host = anywhere ? "localhost" : config.host.includes(":") ? `[${config.host}]` : config.host;
  const url = `${scheme}://${host}:${httpPort}`;
  const where = `Clientele serves
  ${url}  Connect, gRPC-Web, gRPC, JSON
  ${host}:${grpcPort}  gRPC, internal
${metricsPort === undefined ? "" : `  ${scheme}://${host}:${metricsPort}/metrics  Prometheus, internal\n`}`;
  if (demo === undefined) {
    return `${where}
Make a key:     npx clientele key create
Make a tenant:  npx clientele account create --name Acme --preset SIMPLE_CHECKOUT
`;
  }
  return `${where}
A demo account was created. Its test key, shown this once:

  export CLIENTELE_KEY=${demo.testKey}

Then, in the same shell, with curl:

  curl -u $CLIENTELE_KEY: -H 'content-type: application/json' \\
    -d '{"customer": {"email": "john@example.com", "name": "John Doe", "phone": "+1234567890"}}' \\
    ${url}/clientele.v1.CustomerService/CreateCustomer

with buf curl:

  npx buf curl --protocol grpc --http2-prior-knowledge -H "api-key: $CLIENTELE_KEY" \\
    -d '{"pageSize": 5}' ${url}/clientele.v1.CustomerService/ListCustomers

and with @grpc/grpc-js, the whole example:

  npx tsx examples/grpc.ts ${host}:${grpcPort} $CLIENTELE_KEY
`;
}
