import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { CallRecord } from "../../rpc/calls/call-record.js";

/** The standing of a connection whose calls in flight are authenticated: it never has to go. */
export const firm = 3;

/** One connection, and what it has done to stay. */
export class Place {
  session: ServerHttp2Session | undefined;
  /** The bytes that the client had sent at the last look. */
  bytesSeen = 0;
  /** Since when a ping waits for its answer; undefined for none. */
  pingTime: number | undefined;
  /** When the last call ended, or the connection was accepted. */
  idleSince = performance.now();
  #calls = 0;
  #isAuthenticated = false;
  #last: CallRecord | undefined;

  constructor(
    readonly socket: Socket,
    readonly network: string,
  ) {}

  begin(record: CallRecord): void {
    this.#look();
    this.#calls += 1;
    this.#last = record;
  }

  end(record: CallRecord): void {
    this.#look();
    this.#calls -= 1;
    this.#last = record;
    this.idleSince = performance.now();
  }

  get isIdle(): boolean {
    return this.#calls === 0;
  }

  /** Whether a call has shown a valid credential. */
  get isAuthenticated(): boolean {
    this.#look();
    return this.#isAuthenticated;
  }

  /** The rank among the connections: the lowest goes first. */
  get standing(): number {
    if (!this.isAuthenticated) return this.isIdle ? 0 : 1;
    return this.isIdle ? 2 : firm;
  }

  // The record of a call names its tenant as soon as the caller is known, long before a stream ends.
  #look(): void {
    if (this.#last?.tenantId !== undefined) this.#isAuthenticated = true;
  }
}
