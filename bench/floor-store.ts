import pg from "pg";
import { v7 } from "uuid";

/** Where a floor server reads and writes. It gets this as JSON on its command line. */
export interface FloorSettings {
  readonly url: string;
  readonly poolSize: number;
  readonly seededTenant: string;
  readonly growingTenant: string;
}

export interface FloorRow {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly first_name: string;
  readonly last_name: string;
  readonly phone: string;
  readonly country: string;
  readonly locale: string;
  readonly enabled: boolean;
  readonly metadata: Record<string, string>;
  readonly version: string;
  readonly create_time: Date;
  readonly update_time: Date;
}

/** The columns that a floor writes for a new customer. */
export interface FloorCustomer {
  readonly email?: string | undefined;
  readonly name?: string | undefined;
  readonly firstName?: string | undefined;
  readonly lastName?: string | undefined;
  readonly phone?: string | undefined;
  readonly country?: string | undefined;
  readonly locale?: string | undefined;
  readonly metadata?: object | undefined;
}

// Constants in place of derived values, so that answers are equally long.
export const derived = {
  countryName: "United States",
  photoUrl: "https://seccdn.libravatar.org/avatar/0123456789abcdef0123456789abcdef?d=monsterid",
};

/** The least that answers the calls: one prepared statement each, without events, transactions or checks. */
export function createFloorStore({ url, poolSize, seededTenant, growingTenant }: FloorSettings) {
  const pool = new pg.Pool({ connectionString: url, max: poolSize, idleTimeoutMillis: 0 });
  return {
    async find(id: string): Promise<FloorRow | undefined> {
      const text = "select * from customers where tenant_id = $1 and id = $2 and not purged";
      return (await pool.query<FloorRow>({ name: "find", text, values: [seededTenant, id] })).rows[0];
    },
    async list(limit: number): Promise<FloorRow[]> {
      const text = `select * from customers where tenant_id = $1 and not purged and delete_time is null
        order by create_time desc, id desc limit $2`;
      return (await pool.query<FloorRow>({ name: "list", text, values: [seededTenant, limit] })).rows;
    },
    async insert(customer: FloorCustomer): Promise<FloorRow> {
      const { email, name, firstName, lastName, phone, country, locale, metadata } = customer;
      const text = `insert into customers (tenant_id, id, email, email_key, name, first_name, last_name, phone, country,
          locale, type, metadata, create_time, update_time)
        values ($1, $2, $3, sha256(convert_to(lower(btrim($3::text)), 'UTF8')), $4, $5, $6, $7, $8, $9, 'individual', $10,
          $11, $11)
        returning *`;
      // Sorted by time like the service's, which spares the index.
      const id = `cus_${v7().replaceAll("-", "").slice(0, 26)}`;
      const values = [
        growingTenant,
        id,
        email,
        name,
        firstName,
        lastName,
        phone,
        country,
        locale,
        metadata,
        new Date(),
      ];
      return (await pool.query<FloorRow>({ name: "insert", text, values })).rows[0]!;
    },
    async update(id: string, name: string): Promise<FloorRow | undefined> {
      const text = `update customers set name = $3, version = version + 1, update_time = $4
        where tenant_id = $1 and id = $2 returning *`;
      const values = [seededTenant, id, name, new Date()];
      return (await pool.query<FloorRow>({ name: "update", text, values })).rows[0];
    },
  };
}
