/** The meaning of a failed statement to a caller; `rpc/errors.ts` turns it into a status. */
export type Failure =
  /** The outcome is unknown: the connection, the server or the pool was gone. It may be tried again. */
  | "unavailable"
  /** Postgres or this process stopped it because its time was over. */
  | "deadline"
  /** A lock was held by another for too long. */
  | "aborted"
  /** It lost against a concurrent transaction and would probably succeed now. */
  | "retry"
  /** Text that Postgres cannot store. */
  | "invalid"
  /** A unique key exists already. */
  | "conflict"
  /** A foreign key names nothing, or is still named. */
  | "missing-reference"
  | "unknown";

// The first expression that matches the SQLSTATE, or Node's error code, decides.
const failuresByCode: readonly (readonly [RegExp, Failure])[] = [
  [/^23505$/, "conflict"],
  [/^23503$/, "missing-reference"],
  [/^(40001|40P01)$/, "retry"],
  [/^55P03$/, "aborted"],
  [/^57014$/, "deadline"],
  // 08: connection; 25006: a standby; 25P03, 25P04: ended while idle; 28: no access; 3D000: no such database; 53:
  // resources, such as too many connections; 57P: shutdown. All of them are of the deployment, and can pass.
  [/^(08...|25006|25P0[34]|28...|3D000|53...|57P..)$/, "unavailable"],
  [/^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT)$/, "unavailable"],
  // This process has too many open files.
  [/^E[MN]FILE$/, "unavailable"],
  [/^(22021|22P05)$/, "invalid"],
];

// pg and knex give these no code.
const lostMessages = ["Connection terminated", "not queryable", "Query read timeout", "timeout expired"];
// SQLSTATE 55000 has many meanings.
const closedMessages = ["is not currently accepting connections"];
const poolMessages = ["Timeout acquiring a connection", "Unable to acquire a connection"];

/** Tells what an error thrown by the database, the driver or the pool means. A deadline passed by the caller's own clock is "deadline" too. */
export function classify(error: unknown): Failure {
  const code = codeOf(error);
  if (isStaleStatement(error)) return "retry";
  const failure = failuresByCode.find(([pattern]) => pattern.test(code));
  if (failure !== undefined) return failure[1];
  if (code === "55000" && mentions(error, closedMessages)) return "unavailable";
  return code === "" && mentions(error, [...lostMessages, ...poolMessages]) ? "unavailable" : "unknown";
}

/** True when a unique, foreign key or check constraint of that name refused the statement. */
export function violates(error: unknown, constraint: string): boolean {
  return /^(23505|23503|23514)$/.test(codeOf(error)) && property(error, "constraint") === constraint;
}

/** True when the data of a statement broke a constraint, cannot be stored, or is nested too deeply to be read. */
export function isDataRefused(error: unknown): boolean {
  return /^(2[23]|54)...$/.test(codeOf(error));
}

/** True when the server of the session is a standby, or has become one. */
export function isReadOnlySession(error: unknown): boolean {
  return codeOf(error) === "25006";
}

/** True when the connection that the error came from can never be used again. */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  return (
    /^(08...|25006|57P..|25P0[34]|ECONNRESET|EPIPE|ETIMEDOUT)$/.test(code) ||
    (code === "" && mentions(error, lostMessages))
  );
}

/** True when a prepared statement is out of date: the schema changed below it, or a pooler moved it away. */
export function isStaleStatement(error: unknown): boolean {
  const code = codeOf(error);
  return code === "26000" || (code === "0A000" && mentions(error, ["cached plan must not change result type"]));
}

function codeOf(error: unknown): string {
  const code = property(error, "code");
  return typeof code === "string" ? code : "";
}

function mentions(error: unknown, texts: readonly string[]): boolean {
  return error instanceof Error && texts.some((text) => error.message.includes(text));
}

function property(error: unknown, name: string): unknown {
  return typeof error === "object" && error !== null ? Reflect.get(error, name) : undefined;
}
