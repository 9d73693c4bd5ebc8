import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { createWebhookSender } from "../../src/external/webhook-sender.js";
import { startReceiver } from "../support/webhook-receiver.js";

const open = createWebhookSender({ networks: { allowPrivate: true, denied: [] }, timeoutMs: 500 });
const guarded = createWebhookSender({ networks: { allowPrivate: false, denied: [] }, timeoutMs: 500 });

const privateAddresses = [
  "https://127.0.0.1/",
  "https://127.1/",
  "https://2130706433/",
  "https://0x7f000001/",
  "https://0177.0.0.1/",
  "https://0.0.0.0/",
  "https://10.1.2.3/",
  "https://172.16.0.1/",
  "https://192.168.0.1/",
  "https://169.254.169.254/latest/meta-data/",
  "https://100.64.0.1/",
  "https://198.18.0.1/",
  "https://224.0.0.1/",
  "https://255.255.255.255/",
  "https://[::]/",
  "https://[::1]/",
  "https://[fc00::1]/",
  "https://[fe80::1]/",
  "https://[::ffff:127.0.0.1]/",
  "https://[::ffff:7f00:1]/",
  "https://[::7f00:1]/",
  "https://[64:ff9b::7f00:1]/",
  "https://[2002:7f00:1::]/",
  "https://localhost/",
  // Of Azure, from inside of each machine, at a public address.
  "https://168.63.129.16/",
];

test("nothing is posted to a network that the deployment denies, also where private ones are permitted", async () => {
  const networks = { allowPrivate: true, denied: ["127.0.0.0/8", "::1"] };
  const careful = createWebhookSender({ networks, timeoutMs: 500 });
  for (const url of ["http://127.0.0.1:9/", "http://[::1]:9/", "http://localhost:9/"]) {
    expect(await careful.problemOf(url)).toBe("must not lead to a private network");
    expect(await careful.send(url, {}, "{}")).toEqual({ error: "private_address" });
  }
  expect(await open.send("http://127.0.0.1:9/", {}, "{}")).toEqual({ error: "refused" });
});

test.for(privateAddresses)("nothing is posted to %s, and it is refused", async (url) => {
  expect(await guarded.problemOf(url)).toBe("must not lead to a private network");
  expect(await guarded.send(url, {}, "{}")).toEqual({ error: "private_address" });
});

test.for([
  { url: "http://8.8.8.8/", problem: "must begin with https://" },
  { url: "ftp://8.8.8.8/", problem: "must be an address such as https://shop.example/hooks" },
  { url: "shop.example", problem: "must be an address such as https://shop.example/hooks" },
  { url: "https://", problem: "must be an address such as https://shop.example/hooks" },
  { url: "https://user:secret@8.8.8.8/", problem: "must not hold a user or a password" },
  { url: "https://8.8.8.8:8443/hooks?shop=1", problem: undefined },
  { url: "https://[2606:4700:4700::1111]/", problem: undefined },
  // A name that nobody knows yet is looked at again when it is posted to.
  { url: "https://hooks.invalid/", problem: undefined },
])("$url is an address to post to: $problem", async ({ url, problem }) => {
  expect(await guarded.problemOf(url)).toBe(problem);
});

test("a body is posted as it is, with its headers, and the status is told", async () => {
  await using receiver = await startReceiver();
  receiver.answer(202);
  expect(await open.send(receiver.url, { "x-test": "1", "content-type": "application/json" }, '{"ä":1}')).toEqual({
    status: 202,
  });
  expect(receiver.received).toMatchObject([{ headers: { "x-test": "1", "content-length": "8" }, body: '{"ä":1}' }]);
});

test("a redirect is not followed", async () => {
  await using receiver = await startReceiver();
  await using elsewhere = await startReceiver();
  receiver.answer((res) => res.writeHead(302, { location: elsewhere.url }).end());
  expect(await open.send(receiver.url, {}, "{}")).toEqual({ status: 302 });
  expect(elsewhere.received).toEqual([]);
});

test("an answer without an end counts by its status, and one that never begins is a timeout", async () => {
  await using receiver = await startReceiver();
  receiver.answer((res) => void res.writeHead(200).write("x"));
  expect(await open.send(receiver.url, {}, "{}")).toEqual({ status: 200 });
  receiver.answer(() => {});
  expect(await open.send(receiver.url, {}, "{}")).toEqual({ error: "timeout" });
});

test("each other outcome has a label of its own", async () => {
  await using receiver = await startReceiver();
  receiver.answer((res) => void res.socket?.destroy());
  expect(await open.send(receiver.url, {}, "{}")).toEqual({ error: "connection" });
  expect(await open.send(receiver.url.replace("http:", "https:"), {}, "{}")).toEqual({ error: "tls" });
  expect(await open.send("https://hooks.invalid/", {}, "{}")).toEqual({ error: "unresolved" });
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, "close");
  expect(await open.send(`http://127.0.0.1:${port}/`, {}, "{}")).toEqual({ error: "refused" });
});
