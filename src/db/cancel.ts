import pg from "pg";

/** The identity of a connection, by which another one can stop its statement. */
export interface Cancellable {
  readonly host: string;
  readonly port: number;
  readonly ssl: boolean;
  readonly sslNegotiation?: string;
  readonly processID: number | null;
  readonly secretKey: number | null;
  /** Knex drops a connection that has it from the pool. */
  __knex__disposed?: unknown;
}

/** How long a statement may still end by itself, which most do; doubled from request to request. */
const firstPauseMs = 20;
const requestMs = 1_000;

const requests = new WeakMap<Cancellable, Promise<void>>();
const ending = new WeakSet<Cancellable>();

/** A statement that can be stopped, one for each that is sent. */
export interface Stoppable {
  /** Has Postgres stop it, soon. */
  readonly stop: () => void;
  /**
   * To be called once it is answered. Where there is a promise, the connection must not be used before that resolves:
   * Postgres stops whatever a connection does when the request arrives.
   */
  readonly answered: () => Promise<void> | undefined;
}

/** Makes the statement that `connection` is about to run stoppable. */
export function stoppable(connection: Cancellable): Stoppable {
  let timer: NodeJS.Timeout | undefined;
  let isAnswered = false;
  return {
    stop: () => ask(firstPauseMs),
    answered() {
      isAnswered = true;
      if (timer === undefined) return undefined;
      clearTimeout(timer);
      return requests.get(connection);
    },
  };

  // Again and again, because a request that overtakes the statement, or meets one before it, does nothing to it.
  function ask(pauseMs: number): void {
    timer = setTimeout(async () => {
      await request(connection);
      if (!isAnswered) ask(2 * pauseMs);
    }, pauseMs);
  }
}

/**
 * From now on nothing stops what `connection` runs, until `allowStops`: it ends a transaction. Where there is a promise,
 * that must not be sent before it resolves.
 */
export function forbidStops(connection: Cancellable): Promise<void> | undefined {
  ending.add(connection);
  return requests.get(connection);
}

export function allowStops(connection: Cancellable): void {
  ending.delete(connection);
}

async function request(connection: Cancellable): Promise<void> {
  if (ending.has(connection)) return;
  const pending = requests.get(connection) ?? sendRequest(connection);
  requests.set(connection, pending);
  await pending;
  requests.delete(connection);
}

// Its types say nothing of what opens a connection.
class Wire extends pg.Connection {
  declare readonly connect: (portOrPath: number | string, host?: string) => void;
  declare readonly requestSsl: () => void;
  declare readonly cancel: (processID: number | null, secretKey: number | null) => void;
}

// Postgres closes the connection once it has passed the request on. Only then can it hit nothing that is sent later.
async function sendRequest(connection: Cancellable): Promise<void> {
  const { host, port, ssl, sslNegotiation, processID, secretKey } = connection;
  const wire = new Wire(Object.assign({ ssl }, { sslNegotiation }));
  await new Promise<void>((resolve) => {
    let sent = false;
    let doubtful = false;
    const abandon = () => {
      doubtful = sent;
      wire.stream.destroy();
    };
    const send = () => {
      sent = true;
      wire.cancel(processID, secretKey);
    };
    const timer = setTimeout(abandon, requestMs);
    wire.on("error", abandon);
    wire.on("sslconnect", send);
    wire.on("connect", () => {
      if (!ssl) send();
      else if (sslNegotiation !== "direct") wire.requestSsl();
    });
    wire.on("end", () => {
      clearTimeout(timer);
      if (doubtful) connection.__knex__disposed = new Error("a cancel request may still arrive");
      resolve();
    });
    if (host.startsWith("/")) wire.connect(`${host}/.s.PGSQL.${port}`);
    else wire.connect(port, host);
  });
}
