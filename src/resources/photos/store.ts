import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { changeWithEvent } from "../events/store.js";

export interface PhotoColumns {
  readonly content_type: string;
  readonly content: Buffer;
  readonly token: string;
}

// Never the content: it stays where it is.
const written = ["id", "customer_id"];

/** Stores the photo of a locked customer, in place of any before, which keeps its id. */
export async function replacePhoto(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  photo: PhotoColumns & { readonly id: string },
  event: EventDraft,
): Promise<void> {
  const { id, ...columns } = photo;
  const times = { create_time: event.time, update_time: event.time };
  const change = trx("photos")
    .insert({ tenant_id: tenantId, customer_id: customerId, id, ...columns, ...times })
    .onConflict(["tenant_id", "customer_id"])
    .merge({ ...columns, version: trx.raw("photos.version + 1"), update_time: event.time })
    .returning(written);
  await changeWithEvent(trx, tenantId, change, event);
}

/** Removes the photo of a locked customer; answers whether there was one. */
export async function deletePhotoOf(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  event: EventDraft,
): Promise<boolean> {
  const change = trx("photos").where({ tenant_id: tenantId, customer_id: customerId }).delete().returning(written);
  return (await changeWithEvent(trx, tenantId, change, event)).length > 0;
}

/** The photo behind a URL. */
export interface ShownPhotoRow {
  readonly content_type: string;
  /** In bytes. */
  readonly size: number;
  /** Null unless it was asked for. */
  readonly content: Buffer | null;
}

/** The photo that a token stands for; undefined if it was replaced or deleted. One statement. */
export async function findPhoto(
  db: Knex,
  tenantId: string,
  token: string,
  withContent: boolean,
): Promise<ShownPhotoRow | undefined> {
  return await db("photos")
    .where({ tenant_id: tenantId, token })
    .first(
      "content_type",
      db.raw("octet_length(content) as size"),
      db.raw("case when ? then content end as content", [withContent]),
    );
}
