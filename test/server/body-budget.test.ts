import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { describe, expect, test } from "vitest";
import { createBodyBudget } from "../../src/server/unary/body-budget.js";
import { useClientele } from "../support/clientele.js";
import { newEmail } from "../support/customers.js";
import { plain } from "../support/images.js";
import { generousMs } from "../support/time.js";

const clientele = useClientele({}, { CLIENTELE_BODY_MEGABYTES: "4" });
const upload = "/clientele.v1.PhotoService/UploadPhoto";

// Bodies that never end; half of the budget holds four of them.
const bodies = 8;
const bodyBytes = 512 * 1024;
const leastRefused = bodies - 4;
// The others are not to end by their deadline before all have arrived.
const patient = { "connect-timeout-ms": "60000", "grpc-timeout": "60S" };

const floods = [
  {
    name: "a call in JSON",
    internal: false,
    headers: { ":path": upload, "content-type": "application/json" },
    begin: Buffer.from('{"customerId":"cus_1","content":"'),
    refusal: { ":status": 429 },
  },
  {
    name: "a form",
    internal: false,
    headers: { ":path": "/v1/customers/cus_1/photo", "content-type": "multipart/form-data; boundary=x" },
    begin: Buffer.from('--x\r\ncontent-disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'),
    refusal: { ":status": 429 },
  },
  {
    name: "gRPC on the internal port",
    internal: true,
    headers: { ":path": upload, "content-type": "application/grpc", te: "trailers" },
    begin: Buffer.from([0, 0, 0x80, 0, 0]),
    refusal: { "grpc-status": "8" },
  },
];

test.for(floods)(
  "a flood of uploads that never end takes half of the budget, and others go on: $name",
  async ({ internal, headers, begin, refusal }) => {
    const [account, other] = [await clientele.createAccount(), await clientele.createAccount()];
    const client = connect(internal ? `http://${clientele.grpcAddress}` : clientele.httpUrl);
    client.on("error", () => {});
    const answers: IncomingHttpHeaders[] = [];
    for (let i = 0; i < bodies; i++)
      flood(client, { ...headers, ...patient, "api-key": account.testKey }, begin, answers);
    await expect.poll(() => answers.length, { timeout: 5 * generousMs }).toBeGreaterThanOrEqual(leastRefused);
    for (const answer of [...answers]) expect(answer).toMatchObject(refusal);

    for (const { test } of [account, other]) {
      const { customer } = await test.customers.createCustomer({ customer: { email: newEmail() } });
      await test.photos.uploadPhoto({ customerId: customer!.id, content: await plain("png") });
    }
    client.destroy();
  },
);

describe("the budget of bodies", () => {
  test("drops the largest body of the tenant that holds too much, of equals the oldest", () => {
    const budget = createBodyBudget(100);
    const [small, first, second] = [budget.open("acme"), budget.open("acme"), budget.open("acme")];
    small.add(10);
    first.add(20);
    second.add(20);
    small.add(1);
    expect([small, first, second].map(({ refusal }) => refusal !== undefined)).toEqual([false, true, false]);
  });

  test("drops a body of the tenant that holds most when all together hold too much", () => {
    const budget = createBodyBudget(100);
    const [large, medium, small] = [budget.open("acme"), budget.open("other"), budget.open("third")];
    large.add(45);
    medium.add(40);
    small.add(20);
    expect([large, medium, small].map(({ refusal }) => refusal !== undefined)).toEqual([true, false, false]);
  });

  test("counts a body no longer once it is closed", () => {
    const budget = createBodyBudget(100);
    for (let i = 0; i < 10; i++) {
      const count = budget.open("acme");
      count.add(50);
      count.close();
      expect(count.refusal).toBeUndefined();
    }
  });
});

function flood(
  client: ClientHttp2Session,
  headers: Record<string, string>,
  begin: Buffer,
  answers: IncomingHttpHeaders[],
): void {
  const stream = client.request({ ":method": "POST", ...headers });
  stream.on("error", () => {});
  stream.on("response", (header) => answers.push(header));
  stream.resume();
  stream.write(begin);
  stream.write(Buffer.alloc(bodyBytes, "A"));
}
