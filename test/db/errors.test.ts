import { expect, test } from "vitest";
import { classify, isConnectionLost, violates } from "../../src/db/errors.js";

const withCode = (code: string, message = "x") => Object.assign(new Error(message), { code });

const failures = [
  ["a unique key", withCode("23505"), "conflict"],
  ["a foreign key", withCode("23503"), "missing-reference"],
  ["a check", withCode("23514"), "unknown"],
  ["a serialization failure", withCode("40001"), "retry"],
  ["a deadlock", withCode("40P01"), "retry"],
  ["a lock held too long", withCode("55P03"), "aborted"],
  ["a cancelled statement", withCode("57014"), "deadline"],
  ["a NUL byte", withCode("22021"), "invalid"],
  ["an escaped NUL in JSON", withCode("22P05"), "invalid"],
  ["a shutdown", withCode("57P01"), "unavailable"],
  ["a crash", withCode("57P02"), "unavailable"],
  ["a server that starts", withCode("57P03"), "unavailable"],
  ["a connection failure", withCode("08006"), "unavailable"],
  ["too many connections", withCode("53300"), "unavailable"],
  ["an idle transaction that was ended", withCode("25P03"), "unavailable"],
  ["a write to a standby", withCode("25006"), "unavailable"],
  ["a wrong password", withCode("28P01"), "unavailable"],
  ["a role without access", withCode("28000"), "unavailable"],
  ["an absent database", withCode("3D000"), "unavailable"],
  [
    "a database that takes no connections",
    withCode("55000", 'database "x" is not currently accepting connections'),
    "unavailable",
  ],
  ["another prerequisite", withCode("55000", "lastval is not yet defined in this session"), "unknown"],
  ["too many open files", withCode("EMFILE"), "unavailable"],
  ["too many open files of the machine", withCode("ENFILE"), "unavailable"],
  ["a refused connection", withCode("ECONNREFUSED"), "unavailable"],
  ["a reset connection", withCode("ECONNRESET"), "unavailable"],
  ["a terminated connection", new Error("COMMIT; - Connection terminated unexpectedly"), "unavailable"],
  ["a broken client", new Error("Client has encountered a connection error and is not queryable"), "unavailable"],
  ["a silent connection", new Error("select 1 - Query read timeout"), "unavailable"],
  ["a full pool", new Error("Knex: Timeout acquiring a connection. The pool is probably full."), "unavailable"],
  ["a stale prepared statement", withCode("0A000", "cached plan must not change result type"), "retry"],
  ["an unsupported feature", withCode("0A000"), "unknown"],
  ["a syntax error", withCode("42601"), "unknown"],
  [
    "a message that only quotes a lost connection",
    withCode("22P02", 'invalid input: "Connection terminated"'),
    "unknown",
  ],
  ["an error of ours", new TypeError("x is not a function"), "unknown"],
  ["something else", "a string", "unknown"],
  ["nothing", undefined, "unknown"],
] as const;
test.for(failures)("%s is %3$s", ([, error, want]) => {
  expect(classify(error)).toBe(want);
});

const constraints = [
  { name: "the unique key", error: { code: "23505", constraint: "customers_email_key" }, want: true },
  { name: "the foreign key", error: { code: "23503", constraint: "customers_email_key" }, want: true },
  { name: "the check", error: { code: "23514", constraint: "customers_email_key" }, want: true },
  { name: "another constraint", error: { code: "23505", constraint: "customers_pkey" }, want: false },
  { name: "another error", error: { code: "40001", constraint: "customers_email_key" }, want: false },
  { name: "no object", error: null, want: false },
];
test.for(constraints)("violates tells $name apart", ({ error, want }) => {
  expect(violates(error, "customers_email_key")).toBe(want);
});

test("a connection survives the errors of its statements only", () => {
  expect(["23505", "57014", "40P01", "57P01", "08006"].map((code) => isConnectionLost(withCode(code)))).toEqual([
    false,
    false,
    false,
    true,
    true,
  ]);
});
