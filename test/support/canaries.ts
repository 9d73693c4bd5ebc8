import type { Knex } from "knex";
import { personal } from "../../src/resources/privacy/manifest.js";

interface Place {
  readonly table: string;
  readonly customer: readonly string[];
  readonly column: string;
}

/**
 * Writes a value of its own into every personal column of text that takes one, and into JSON that is empty, so that one
 * can look where it goes. What a constraint refuses stays as it is.
 */
export async function plant(db: Knex, customerId: string): Promise<void> {
  for (const { table, customer, shown } of personal) {
    const columns = await db(table).columnInfo();
    for (const column of shown) {
      const { type } = columns[column as keyof typeof columns] as unknown as { type: string };
      const canary = `canary-${table}-${column}`.replaceAll("_", "-");
      const rows = () => rowsOf(db, customerId, { table, customer, column });
      if (type === "text")
        await rows()
          .update({ [column]: canary })
          .catch(unlessRefused);
      if (type === "jsonb")
        await rows()
          .whereRaw("??::text = '{}'", [column])
          .update({ [column]: { canary } });
    }
  }
}

/** The texts, numbers and bytes in a person's columns. */
export async function evidenceOf(db: Knex, customerId: string, place: Place): Promise<unknown[]> {
  const values: unknown[] = await rowsOf(db, customerId, place).pluck(place.column);
  return [...new Set(values.flatMap(leavesOf))];
}

function rowsOf(db: Knex, customerId: string, { table, customer }: Place) {
  return db(table).where((owned) => {
    for (const column of customer) owned.orWhere({ [column]: customerId });
  });
}

function leavesOf(value: unknown): unknown[] {
  // A day, which the driver takes for one of this place.
  if (value instanceof Date) return [value.toLocaleDateString("sv-SE")];
  if (value === null || value === "" || value === false) return [];
  if (typeof value !== "object" || Buffer.isBuffer(value)) return [value];
  return Object.values(value).flatMap(leavesOf);
}

function unlessRefused(error: unknown): void {
  if (!/^23/.test(String(Reflect.get(Object(error), "code")))) throw error;
}
