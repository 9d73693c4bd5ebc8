/** The limits of a listener for one client, in bytes and milliseconds. */
export interface Limits {
  /** The largest request message, before and after decompression; of a service whose routes say so, more. */
  readonly readMaxBytes: number;
  /** The largest response message. */
  readonly writeMaxBytes: number;
  /** Of all request bodies that are not decoded yet, of all clients together. */
  readonly bodyBytes: number;
  /** All header fields of a request together. */
  readonly headerMaxBytes: number;
  /** Calls at once on one HTTP/2 connection. */
  readonly streamsPerSession: number;
  /** How long a new connection may take to show which HTTP it speaks. */
  readonly prefaceMs: number;
  /** How long the header of a request may take. */
  readonly headersMs: number;
  /** How long a request body may take; of a client's stream, how long it may fall silent. */
  readonly bodyMs: number;
  /** How long an answer may wait without its client taking anything of it. */
  readonly stallMs: number;
  /** Connections of the public port at once. */
  readonly connections: number;
  /** How long an HTTP/2 session without calls stays open before its first authenticated call. */
  readonly firstCallMs: number;
  /** How long a connection without calls stays open. */
  readonly idleMs: number;
}

/** The limits that Clientele runs with; tests shorten the times. */
export const defaultLimits: Limits = {
  readMaxBytes: 256 * 1024,
  writeMaxBytes: 32 * 1024 * 1024,
  bodyBytes: 128 * 1024 * 1024,
  headerMaxBytes: 16 * 1024,
  streamsPerSession: 100,
  prefaceMs: 5_000,
  headersMs: 10_000,
  bodyMs: 30_000,
  stallMs: 30_000,
  connections: 10_000,
  firstCallMs: 30_000,
  idleMs: 15 * 60_000,
};
