import type { Knex } from "knex";
import * as house from "./0001_house.js";

/** All migrations by name, in the order in which they run. Append only. */
export const migrations: Readonly<Record<string, Knex.Migration>> = {
  "0001_house": house,
};
