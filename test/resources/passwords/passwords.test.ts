import { hash as argon2 } from "@node-rs/argon2";
import { beforeAll, describe, expect, test } from "vitest";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { PasswordService } from "../../../gen/clientele/v1/passwords_pb.js";
import { cancel, createCancellation, withDeadline } from "../../../src/db/deadline.js";
import { createPasswordHasher } from "../../../src/resources/passwords/hasher.js";
import { onBehalfOf } from "../../../src/rpc/calls/fair-queue.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { clientsWith, createShopper, password, signIn, signInById } from "../../support/shoppers.js";
import { dump } from "../../support/snapshot.js";
import { overFetch } from "../../support/ways.js";

let key: string;
let clients: Clients;
const clientele = useClientele();
beforeAll(async () => {
  ({ testKey: key, test: clients } = await clientele.createAccount());
});

const canSignIn = async (email: string, typed: string) => (await signIn(clients, email, typed)).secret !== "";
const cannotSignIn = async (email: string, typed: string) =>
  expect(await failureOf(signIn(clients, email, typed))).toMatchObject({ reason: "LOGIN_FAILED" });

describe("a password", () => {
  const ways: { name: string; give: (email: string) => Promise<string> }[] = [
    { name: "with the customer", give: async (email) => (await createCustomer(clients, { email, password })).id },
    {
      name: "with a customer that is got or made",
      give: async (email) => {
        const { customer } = await clients.customers.getOrCreateCustomer({ customer: { email, password } });
        return customer!.id;
      },
    },
    {
      name: "with an update",
      give: async (email) => {
        const { id } = await createCustomer(clients, { email });
        const { customer } = await clients.customers.updateCustomer({ customer: { id, password, name: "Ada" } });
        expect(customer).toMatchObject({ name: "Ada", hasPassword: true });
        return id;
      },
    },
    {
      name: "with an update whose mask names it alone",
      give: async (email) => {
        const { id } = await createCustomer(clients, { email, name: "Ada" });
        const updateMask = { paths: ["password"] };
        const { customer } = await clients.customers.updateCustomer({
          customer: { id, password, name: "Bea" },
          updateMask,
        });
        expect(customer).toMatchObject({ name: "Ada", hasPassword: true });
        return id;
      },
    },
    {
      name: "later, by SetPassword",
      give: async (email) => {
        const { id, etag } = await createCustomer(clients, { email });
        const { customer } = await clients.passwords.setPassword({ customerId: id, password, etag });
        expect(customer).toMatchObject({ hasPassword: true, password: "" });
        expect(customer!.etag).not.toBe(etag);
        const again = clients.passwords.setPassword({ customerId: id, password, etag });
        expect(await failureOf(again)).toMatchObject({ reason: "ETAG_STALE" });
        return id;
      },
    },
  ];

  test.for(ways)("is set $name, shown by has_password alone, and signs in", async ({ give }) => {
    const email = newEmail();
    const id = await give(email);
    expect(await getCustomer(clients, id)).toMatchObject({ hasPassword: true, password: "" });
    expect(await canSignIn(email, password)).toBe(true);
    await cannotSignIn(email, `${password} `);
    const [event] = await clientele.db("events").where({ resource_id: id }).orderBy("position", "desc");
    expect(event.changed_paths).toContain("password");
  });

  test("is stored as argon2id of 19 MiB and 2 passes, and nowhere else", async () => {
    const typed = "A secret of Ada's, 1815";
    const { id, email } = await createShopper(clients, { password: typed });
    await signIn(clients, email, typed);
    await failureOf(signIn(clients, email, `${typed}, mistyped`));
    const call = overFetch(clientele.httpUrl, key);
    const { setPassword } = PasswordService.method;
    await call(setPassword, { customerId: id, password: typed }, { "idempotency-key": "one" });
    const { hash } = await clientele.db("passwords").where({ customer_id: id }).first();
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    const everything = await dump(clientele.db);
    for (const form of [typed, Buffer.from(typed).toString("hex"), Buffer.from(typed).toString("base64")]) {
      expect(everything).not.toContain(form);
    }
  });

  test("is distinguished under an Idempotency-Key, also where it is the only difference", async () => {
    const call = overFetch(clientele.httpUrl, key);
    const { createCustomer: create } = CustomerService.method;
    const email = newEmail();
    const send = (typed: string) =>
      call(create, { customer: { email, password: typed } }, { "idempotency-key": email });
    const first = await send(password);
    expect(await send(password)).toEqual(first);
    expect(await failureOf(send(`${password}!`))).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
  });

  test("under an Idempotency-Key waits for its turn to be compared, and is refused when too many wait", async () => {
    const call = overFetch(clientele.httpUrl, key);
    const send = (index: number) => {
      const headers = { "idempotency-key": `flood-${index}`, "connect-timeout-ms": "60000" };
      return failureOf(call(CustomerService.method.createCustomer, { customer: { password: "short" } }, headers));
    };
    const reasons = (await Promise.all(Array.from({ length: 200 }, (_, index) => send(index)))).map(
      ({ reason }) => reason,
    );
    expect(new Set(reasons)).toEqual(new Set(["FIELDS_INVALID", "QUEUE_FULL"]));
  });

  test("survives an update of everything else", async () => {
    const { id, email } = await createShopper(clients);
    const everything = { customer: { id, email, name: "Ada" }, updateMask: { paths: ["*"] } };
    expect((await clients.customers.updateCustomer(everything)).customer!.hasPassword).toBe(true);
    expect(await canSignIn(email, password)).toBe(true);
  });

  test("goes with the customer, and does not come back with it", async () => {
    const { id, email } = await createShopper(clients);
    expect((await clients.customers.deleteCustomer({ id })).customer!.hasPassword).toBe(false);
    await cannotSignIn(email, password);
    await clients.customers.undeleteCustomer({ id });
    await cannotSignIn(email, password);
    expect(await clientele.db("passwords").where({ customer_id: id })).toEqual([]);
  });

  const texts: { name: string; typed: string; refused?: string }[] = [
    { name: "7 characters", typed: "1234567", refused: "must be at least 8 characters" },
    { name: "8 characters", typed: "12345678" },
    { name: "7 characters of two units each", typed: "😀".repeat(7), refused: "must be at least 8 characters" },
    { name: "8 characters of two units each", typed: "😀".repeat(8) },
    { name: "256 bytes", typed: "x".repeat(256) },
    { name: "257 bytes", typed: "x".repeat(257), refused: "must be at most 256 bytes" },
    { name: "spaces around it", typed: "   spaces   " },
    { name: "spaces alone", typed: " ".repeat(8) },
  ];

  test.for(texts)("of $name", async ({ typed, refused }) => {
    const email = newEmail();
    const created = clients.customers.createCustomer({ customer: { email, password: typed } });
    if (refused === undefined) {
      await created;
      expect(await canSignIn(email, typed)).toBe(true);
      await cannotSignIn(email, `${typed.slice(0, -1)}y`);
    } else {
      expect((await failureOf(created)).fields).toEqual({ "customer.password": refused });
      const customerId = (await createCustomer(clients, { email })).id;
      const set = await failureOf(clients.passwords.setPassword({ customerId, password: typed }));
      expect(Object.keys(set.fields)).toEqual(["password"]);
    }
  });

  test("is the same however its characters are composed", async () => {
    const { email } = await createShopper(clients, { password: "caf\u00e9 cr\u00e8me" });
    expect(await canSignIn(email, "cafe\u0301 cre\u0300me")).toBe(true);
  });
});

describe("changing it", () => {
  test("needs the present one, and ends that", async () => {
    const { id, email } = await createShopper(clients);
    const change = (oldPassword: string) =>
      clients.passwords.changePassword({ customerId: id, oldPassword, newPassword: "another one" });
    expect(await failureOf(change("not the password"))).toMatchObject({
      code: "InvalidArgument",
      reason: "PASSWORD_WRONG",
      fields: { old_password: "is not the customer's password" },
    });
    expect((await change(password)).customer).toMatchObject({ id, hasPassword: true });
    await cannotSignIn(email, password);
    expect(await canSignIn(email, "another one")).toBe(true);
  });

  test("of a customer without one fails like a wrong one, and of an absent customer as absent", async () => {
    const { id } = await createCustomer(clients);
    const change = (customerId: string) =>
      clients.passwords.changePassword({ customerId, oldPassword: password, newPassword: "another one" });
    expect(await failureOf(change(id))).toMatchObject({ reason: "PASSWORD_WRONG" });
    expect(await failureOf(change("cus_absent"))).toMatchObject({ code: "NotFound" });
  });

  test("of a customer without one sets the first one, once", async () => {
    const { id: customerId, email } = await createCustomer(clients, { email: newEmail() });
    const { secret } = await signInById(clients, customerId);
    const own = clientsWith(clientele, secret);
    const first = { customerId, newPassword: "the first one" };
    expect((await own.passwords.changePassword(first)).customer).toMatchObject({ hasPassword: true });
    expect(await canSignIn(email!, "the first one")).toBe(true);
    const second = clients.passwords.changePassword({ customerId, newPassword: "another one" });
    expect(await failureOf(second)).toMatchObject({ reason: "PASSWORD_WRONG" });
  });

  test("of ten first ones at once, one is set", async () => {
    const { id: customerId } = await createCustomer(clients);
    const callers = createCallers(clientele, key, 10);
    const { answers, failures } = await allAtOnce(callers, ({ passwords }, index) =>
      passwords.changePassword({ customerId, newPassword: `password ${index}` }),
    );
    expect(answers).toHaveLength(1);
    for (const { reason } of failures) expect(["PASSWORD_WRONG", "LOGIN_DELAYED"]).toContain(reason);
  });

  test("of a softly deleted customer is refused as that, by each way", async () => {
    const { id: customerId } = await createShopper(clients);
    await clients.customers.deleteCustomer({ id: customerId });
    const { passwords } = clients;
    const changes = [
      passwords.setPassword({ customerId, password }),
      passwords.changePassword({ customerId, oldPassword: password, newPassword: "another one" }),
      passwords.removePassword({ customerId }),
    ];
    for (const failure of await Promise.all(changes.map(failureOf))) {
      expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "CUSTOMER_DELETED" });
    }
  });

  test("from the same one, of ten at once, works for one", async () => {
    const { id, email } = await createShopper(clients);
    const callers = createCallers(clientele, key, 10);
    const { answers, failures } = await allAtOnce(callers, async ({ passwords }, index) => {
      const newPassword = `password ${index}`;
      await passwords.changePassword({ customerId: id, oldPassword: password, newPassword });
      return newPassword;
    });
    expect(answers).toHaveLength(1);
    expect(new Set(failures.map(({ reason }) => reason)).size).toBeLessThanOrEqual(2);
    expect(await canSignIn(email, answers[0]!)).toBe(true);
  });
});

test("a password that is removed signs in no more, and can be removed again", async () => {
  const { id, email } = await createShopper(clients);
  const { customer } = await clients.passwords.removePassword({ customerId: id });
  expect(customer).toMatchObject({ id, hasPassword: false });
  await cannotSignIn(email, password);
  const again = await clients.passwords.removePassword({ customerId: id });
  expect(again.customer).toEqual(customer);
  expect(await clientele.db("passwords").where({ customer_id: id })).toEqual([]);
});

describe("hashing", () => {
  const fixed = (size: number) => new Uint8Array(size).fill(7);

  test("has two places and a queue of 64; a later call is told when to retry", async () => {
    const hasher = createPasswordHasher(fixed);
    const inside = Array.from({ length: 66 }, () => hasher.hash(password));
    expect(await failureOf(hasher.hash(password))).toMatchObject({
      code: "ResourceExhausted",
      reason: "QUEUE_FULL",
      retryable: true,
    });
    expect(new Set(await Promise.all(inside)).size).toBe(1);
    expect(await hasher.hash(password)).toBe(await argon2(password, { salt: fixed(16) }));
  });

  test("is fair: a caller who fills the queue leaves the next place but one to another", async () => {
    const hasher = createPasswordHasher(fixed);
    const ended: string[] = [];
    const flood = Array.from({ length: 66 }, () =>
      onBehalfOf("flood", () => hasher.hash(password)).then(
        () => ended.push("flood"),
        async (error) => ended.push((await failureOf(Promise.reject(error))).reason),
      ),
    );
    const others = ["one", "two"].map((whose) =>
      onBehalfOf(whose, () => hasher.hash(password)).then(() => ended.push(whose)),
    );
    await Promise.all(others);
    expect(ended.filter((what) => what === "QUEUE_FULL")).toHaveLength(2);
    expect(ended.length).toBeLessThan(12);
    await Promise.all(flood);
  });

  test("is not waited for by a call that has ended: its place is another's", async () => {
    const hasher = createPasswordHasher(fixed);
    const busy = [hasher.hash(password), hasher.hash(password)];
    const cancellation = createCancellation();
    const far = Date.now() + 60_000;
    const cancelled = Array.from({ length: 32 }, () => withDeadline(far, () => hasher.hash(password), cancellation));
    const late = Array.from({ length: 32 }, () => withDeadline(Date.now() + 1, () => hasher.hash(password)));
    const ended = Promise.all([...cancelled, ...late].map(failureOf));
    cancel(cancellation);
    const reasons = (await ended).map(({ reason }) => reason);
    expect(new Set(reasons.slice(0, 32))).toEqual(new Set(["CALL_CANCELLED"]));
    expect(new Set(reasons.slice(32))).toEqual(new Set(["DEADLINE_EXCEEDED"]));
    const next = Array.from({ length: 64 }, () => hasher.hash(password));
    expect(await Promise.all([...busy, ...next])).toHaveLength(66);
  });
});
