// A program that starts the embedded Postgres of a folder, says its url, and waits to be ended.
import { startEmbedded } from "../../src/db/embedded.js";

const embedded = await startEmbedded({ dataDir: process.argv[2]!, log: () => {} });
process.once("SIGTERM", async () => {
  await embedded.stop();
  process.exit();
});
process.once("SIGHUP", () => process.exit());
console.log(embedded.url);
setInterval(() => {}, 1_000);
