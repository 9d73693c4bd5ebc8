import { Command } from "commander";
import { withDatabase } from "./database.js";
import { print } from "./output.js";

/** `clientele migrate`. */
export function migrateCommand(): Command {
  return new Command("migrate").description("bring the database's schema up to date").action(async () => {
    await withDatabase(async (_deps, applied) => {
      print(applied.length === 0 ? "The schema is up to date." : `Applied ${applied.join(", ")}.`);
    });
  });
}
