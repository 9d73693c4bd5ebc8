import type { ServiceImpl } from "@connectrpc/connect";
import { type Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.js";
import { notFound } from "../rpc/errors.js";

/** Whether the process wants calls. One for all listeners. */
export interface Readiness {
  readonly serving: boolean;
  /** True once the process drains. */
  readonly closed: boolean;
  /** Says whether the process wants calls. Without effect once it leaves. */
  set(serving: boolean): void;
  /** Stops serving for good. */
  leave(): void;
  /** Stops serving for good, and ends the streams that watch it. */
  close(): void;
  /** Calls back on every change, until the function it returns is called. */
  onChange(listener: () => void): () => void;
}

/** A readiness that is not serving yet. */
export function createReadiness(): Readiness {
  const listeners = new Set<() => void>();
  let serving = false;
  let leaving = false;
  let closed = false;
  const change = (toServing: boolean, toClosed: boolean) => {
    if (closed || (serving === toServing && !toClosed)) return;
    serving = toServing;
    closed = toClosed;
    for (const listener of [...listeners]) listener();
  };
  return {
    get serving() {
      return serving;
    },
    get closed() {
      return closed;
    },
    set: (value) => change(value && !leaving, false),
    leave() {
      leaving = true;
      change(false, false);
    },
    close: () => change(false, true),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/**
 * Health as https://github.com/grpc/grpc/blob/master/doc/health-checking.md has it: the process as a whole under the
 * empty name, and every service of `serviceNames`, all of them alike. A watch ends, without error, when the process drains.
 */
export function healthService(readiness: Readiness, serviceNames: readonly string[]): ServiceImpl<typeof Health> {
  const names = new Set(["", ...serviceNames]);
  const current = () => ({ status: readiness.serving ? Status.SERVING : Status.NOT_SERVING });
  return {
    check({ service }) {
      if (!names.has(service)) throw notFound("service");
      return current();
    },
    list() {
      return { statuses: Object.fromEntries([...names].map((name) => [name, current()])) };
    },
    async *watch({ service }, { signal }) {
      let sent: Status | undefined;
      while (!signal.aborted) {
        const { status } = names.has(service) ? current() : { status: Status.SERVICE_UNKNOWN };
        if (status !== sent) yield { status };
        sent = status;
        if (readiness.closed) return;
        // A status that changed while the client took the last one is sent at once.
        if (!names.has(service) || current().status === sent) await changed(readiness, signal);
      }
    },
  };
}

async function changed(readiness: Readiness, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted || readiness.closed) return resolve();
    const stop = readiness.onChange(done);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      stop();
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
