import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { EmailUniqueness } from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomerTokenService } from "../../../gen/clientele/v1/customer_tokens_pb.js";
import { coarseEmail } from "../../../src/formats/folding.js";
import { type Clients, clientsOn, startClientele, transports, useClientele } from "../../support/clientele.js";
import { createCustomer, newEmail } from "../../support/customers.js";
import { type Failure, failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { changeSettings } from "../../support/settings.js";
import { clientsWith, createShopper, newPublishableKey, password, signIn } from "../../support/shoppers.js";
import { dump } from "../../support/snapshot.js";
import { overFetch } from "../../support/ways.js";

const start = new Date("2026-03-01T12:00:00Z");
const seconds = (count: number) => new Date(start.getTime() + count * 1000);
const failed = {
  code: "Unauthenticated",
  reason: "LOGIN_FAILED",
  message: "The e-mail address or the password is wrong.",
  fields: {},
  retryable: false,
};
const delayed = { code: "ResourceExhausted", reason: "LOGIN_DELAYED", retryable: true };

let now = start;
let key: string;
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  ({ testKey: key, test: clients } = await clientele.createAccount());
});
beforeEach(() => {
  now = start;
});

let addresses = 0;
function newAddress(): string {
  addresses += 1;
  return `198.51.${addresses >> 8}.${addresses & 255}`;
}

const tryFrom = (email: string, from: string, typed = "not the password") => signIn(clients, email, typed, from);
// At once, since each is answered at the next half second.
async function failFrom(email: string, from: string, times: number): Promise<void> {
  const failures = await Promise.all(Array.from({ length: times }, () => failureOf(tryFrom(email, from))));
  for (const failure of failures) expect(failure).toMatchObject(failed);
}

describe("a failed log-in", () => {
  test("does not tell whether the customer or its password exists", async () => {
    const { email } = await createShopper(clients);
    const { email: passwordless } = await createCustomer(clients);
    const gone = await createShopper(clients);
    await clients.customers.deleteCustomer({ id: gone.id });
    for (const one of [email, passwordless!, gone.email, newEmail(), "no address at all"]) {
      expect(await failureOf(tryFrom(one, newAddress()))).toEqual(failed);
    }
    const { live } = await clientele.createAccount();
    expect(await failureOf(signIn(live, email))).toEqual(failed);
  });

  test("takes as long for any customer and any hash", { timeout: 60_000 }, async () => {
    const { email } = await createShopper(clients);
    const imported = await createShopper(clients);
    const bcrypt = "$2b$10$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";
    await clientele.db("passwords").where({ customer_id: imported.id }).update({ hash: bcrypt });
    const { email: passwordless } = await createCustomer(clients);
    const emails = [email, imported.email, passwordless!, newEmail()];
    const spread = async () => {
      const times = emails.map((): number[] => []);
      for (let round = 0; round < 5; round++) {
        // Side by side, so that what else the machine does meets all alike, and each of them first now and then.
        const order = emails.map((_, index) => (index + round) % emails.length);
        await Promise.all(
          order.map(async (index) => {
            const begun = performance.now();
            expect(await failureOf(tryFrom(emails[index]!, newAddress()))).toEqual(failed);
            times[index]!.push(performance.now() - begun);
          }),
        );
      }
      const medians = times.map((one) => one.sort((x, y) => x - y)[2]!);
      return Math.max(...medians) - Math.min(...medians);
    };
    // Unequal ones would differ by 30 ms and more each time; a busy machine may make equal ones differ once.
    let smallest = await spread();
    for (let again = 0; again < 5 && smallest >= 20; again++) smallest = Math.min(smallest, await spread());
    expect(smallest).toBeLessThan(20);
  });
});

describe("after five failures from one address", () => {
  test("of 50 at once, no more are tried", async () => {
    const { email } = await createShopper(clients);
    const from = newAddress();
    const { answers, failures } = await allAtOnce(createCallers(clientele, key), (by) =>
      signIn(by, email, "not the password", from),
    );
    expect(answers).toEqual([]);
    const reasons = failures.map(({ reason }: Failure) => reason).sort();
    expect(reasons).toEqual([...Array(45).fill("LOGIN_DELAYED"), ...Array(5).fill("LOGIN_FAILED")]);
    expect(await failureOf(tryFrom(email, from, password))).toMatchObject(delayed);
    expect((await tryFrom(email, newAddress(), password)).secret).toMatch(/^ct_/);
  });

  test("no other spelling of the e-mail address is another count", async () => {
    const { email } = await createShopper(clients, { email: `i.i.${newEmail()}` });
    const from = newAddress();
    const spellings = [email, ` ${email} `, email.toUpperCase(), email.replace("i", "İ"), email.replace(".i", ".İ")];
    await Promise.all(spellings.map((spelling) => failFrom(spelling, from, 1)));
    for (const spelling of [email, email.toUpperCase(), email.replace("i.i", "İ.İ")])
      expect(await failureOf(tryFrom(spelling, from, password))).toMatchObject(delayed);
  });

  test("letters that Postgres folds into one are one for the count", async () => {
    const letters = Array.from({ length: 0x110000 }, (_, point) => point)
      .filter((point) => point > 0 && (point < 0xd800 || point > 0xdfff))
      .map((point) => String.fromCodePoint(point));
    const { rows } = await clientele.db.raw(
      "select letter, lower(letter) as lower from unnest(?::text[]) as letter where letter <> lower(letter)",
      [letters],
    );
    expect(rows.length).toBeGreaterThan(1_000);
    const apart = rows.filter(
      (row: { letter: string; lower: string }) => coarseEmail(row.letter) !== coarseEmail(row.lower),
    );
    expect(apart).toEqual([]);
  });

  test("the next attempt waits 30 s, then each time twice as long, a quarter of an hour at most", async () => {
    const { email } = await createShopper(clients);
    const from = newAddress();
    await failFrom(email, from, 5);
    let clock = 0;
    for (const pause of [30, 60, 120, 240, 480, 900, 900]) {
      now = seconds(clock + pause - 0.001);
      expect(await failureOf(tryFrom(email, from, password))).toMatchObject(delayed);
      clock += pause;
      now = seconds(clock);
      await failFrom(email, from, 1);
    }
    now = seconds(clock + 900);
    expect((await tryFrom(email, from, password)).secret).toMatch(/^ct_/);
    await failFrom(email, from, 5);
  });

  test("the count begins anew a day after the last one", async () => {
    const { email } = await createShopper(clients);
    const from = newAddress();
    await failFrom(email, from, 4);
    now = seconds(24 * 60 * 60);
    await failFrom(email, from, 5);
    expect(await failureOf(tryFrom(email, from))).toMatchObject(delayed);
  });

  test("an unknown e-mail address is delayed like a known one", async () => {
    const [email, from] = [newEmail(), newAddress()];
    await failFrom(email, from, 5);
    expect(await failureOf(tryFrom(email, from))).toMatchObject(delayed);
  });

  test("a network of IPv6 is one address, and IPv4 within IPv6 is itself", async () => {
    const { email } = await createShopper(clients);
    await Promise.all([1, 2, 3, 4, 5].map((host) => failFrom(email, `2001:db8:1:1::${host}`, 1)));
    expect(await failureOf(tryFrom(email, "2001:db8:1:1:ffff::1"))).toMatchObject(delayed);
    await failFrom(email, "2001:db8:1:2::1", 1);
    await failFrom(email, "192.0.2.77", 5);
    expect(await failureOf(tryFrom(email, "::ffff:192.0.2.77"))).toMatchObject(delayed);
  });
});

test("fifty right passwords at once all sign in", async () => {
  const { email } = await createShopper(clients);
  const from = newAddress();
  const { answers } = await allAtOnce(createCallers(clientele, key), (by) => signIn(by, email, password, from));
  expect(answers).toHaveLength(50);
});

describe("after a hundred failures from many addresses", () => {
  let email: string;
  const known = "203.0.113.7";
  beforeAll(async () => {
    ({ email } = await createShopper(clients));
    await tryFrom(email, known, password);
    const callers = createCallers(clientele, key, 20);
    for (let round = 0; round < 5; round++) {
      const { failures } = await allAtOnce(callers, (by) => signIn(by, email, "not the password", newAddress()));
      expect(new Set(failures.map(({ reason }) => reason))).toEqual(new Set(["LOGIN_FAILED"]));
    }
  }, 60_000);

  test("an address that signed in before is not delayed, another one takes turns with the attackers", async () => {
    const stranger = newAddress();
    expect(await failureOf(tryFrom(email, stranger, password))).toMatchObject(delayed);
    expect((await tryFrom(email, known, password)).secret).toMatch(/^ct_/);
    now = seconds(15);
    expect((await tryFrom(email, stranger, password)).secret).toMatch(/^ct_/);
  });

  test("the rows that an erasure keeps name no person", async () => {
    const rows = await clientele.db("login_attempts").select();
    expect(rows.length).toBeGreaterThan(100);
    const attempts = (await dump(clientele.db)).split("\n").filter((row) => row.startsWith("login_attempts"));
    expect(attempts.join("\n")).not.toContain(Buffer.from(email).toString("hex"));
    expect(attempts.join("\n")).not.toMatch(/@|203\.0\.113|198\.51/);
  });
});

describe("where customers share an e-mail address", () => {
  test("each of twelve signs in with the own password", async () => {
    const { test: own } = await clientele.createAccount();
    await changeSettings(own, { emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED });
    const email = newEmail();
    const ids: string[] = [];
    for (let index = 0; index < 12; index++) {
      ids.push((await createCustomer(own, { email, password: `password ${index}` })).id);
    }
    for (const [index, id] of ids.entries()) {
      expect((await signIn(own, email.toUpperCase(), `password ${index}`)).token.customerId).toBe(id);
    }
    expect(await failureOf(signIn(own, email, "password 12"))).toEqual(failed);
  });

  test("a sign-in to one account gives no more guesses at another", async () => {
    const { test: own } = await clientele.createAccount();
    await changeSettings(own, { emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED });
    const { email } = await createShopper(own);
    await createCustomer(own, { email, password: "the attacker's" });
    for (let guess = 0; guess < 5; guess++) {
      if (guess < 4) await signIn(own, email, "the attacker's");
      expect(await failureOf(signIn(own, email, `guess number ${guess}`))).toEqual(failed);
    }
    expect(await failureOf(signIn(own, email, "the attacker's"))).toMatchObject(delayed);
  });
});

describe("the address of a caller", () => {
  test("reaches the count through both ports, by a trusted proxy alone", async () => {
    await using proxied = await startClientele({}, { CLIENTELE_TRUSTED_PROXIES: "127.0.0.1" });
    for (const [service, want] of [
      [clientele, "LOGIN_DELAYED"],
      [proxied, "LOGIN_FAILED"],
    ] as const) {
      for (const port of ["gRPC on the internal port", "gRPC-Web"]) {
        const { test: own } = await service.createAccount();
        const { email } = await createShopper(own);
        const { customerTokens } = clientsOn(transports[port]!(service, await newPublishableKey(own)));
        const from = (address: string) => {
          const credential = { case: "emailPassword", value: { email, password: "not the password" } } as const;
          return failureOf(
            customerTokens.createCustomerToken({ credential }, { headers: { "x-forwarded-for": address } }),
          );
        };
        const failures = await Promise.all(Array.from({ length: 5 }, () => from("203.0.113.1")));
        for (const failure of failures) expect(failure).toMatchObject(failed);
        expect((await from("203.0.113.2")).reason, port).toBe(want);
      }
    }
  });

  test("is the caller's to say with a secret key alone, and must be one", async () => {
    const { email } = await createShopper(clients);
    const page = clientsWith(clientele, await newPublishableKey(clients));
    expect(await failureOf(signIn(page, email, password, newAddress()))).toMatchObject({
      code: "PermissionDenied",
      fields: { client_ip_address: "These credentials do not permit writing this field." },
    });
    expect((await failureOf(signIn(clients, email, password, "localhost"))).fields).toHaveProperty("client_ip_address");
  });
});

test("a log-in by an identity provider that nobody has set up is refused", async () => {
  const authorizationCode = {
    provider: "none",
    code: "code",
    codeVerifier: "v".repeat(43),
    redirectUri: "https://shop.example/signed-in",
    nonce: "nonce",
  };
  const call = overFetch(clientele.httpUrl, key)(CustomerTokenService.method.createCustomerToken, {
    authorizationCode,
  });
  expect(await failureOf(call)).toMatchObject({ reason: "IDENTITY_PROVIDER_UNKNOWN" });
});
