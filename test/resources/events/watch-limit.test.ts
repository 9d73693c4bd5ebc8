import { expect, test } from "vitest";
import { useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { watch } from "../../support/watching.js";

const small = useClientele({}, { CLIENTELE_WATCHES_PER_TENANT: "2" });

test("a third watch is refused until one has ended; other tenants are not concerned", async () => {
  const { test: one, live: other } = await small.createAccount();
  const two = [watch(one.events), watch(one.events)];
  await Promise.all(two.map(({ started }) => started));
  const third = watch(one.events).ended.then((error) => Promise.reject(error));
  expect(await failureOf(third)).toMatchObject({ code: "ResourceExhausted", reason: "WATCHES_EXHAUSTED" });
  const elsewhere = watch(other.events);
  await elsewhere.started;
  await two[0]!.stop();
  await expect
    .poll(() =>
      watch(one.events, {}, 2_000).started.then(
        () => "watches",
        () => "refused",
      ),
    )
    .toBe("watches");
  await Promise.all([two[1]!, elsewhere].map((watching) => watching.stop()));
});
