import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type EventService, ListEventsRequestSchema } from "../../../gen/clientele/v1/events_pb.js";
import type { Deps } from "../../deps.js";
import { callOf } from "../../rpc/callers/caller.js";
import { notFound } from "../../rpc/errors.js";
import { type OrderTerm, parseOrderBy } from "../../rpc/lists/order-by.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { eventFromRow, eventId, numberOfEvent } from "./convert.js";
import { findEvent, listEvents } from "./log-store.js";
import { watchEvents } from "./watch.js";

export function eventService(deps: Deps): ServiceImpl<typeof EventService> {
  return {
    async getEvent(req, ctx) {
      const { db, tenantId, liveMode } = callOf(ctx);
      const number = numberOfEvent(tenantId, req.id);
      const row = number === undefined ? undefined : await findEvent(db, tenantId, number);
      if (row === undefined || eventId(row) !== req.id) throw notFound("event");
      return { event: eventFromRow(row, liveMode) };
    },

    async listEvents(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListEventsRequestSchema, req, orderOf(req.orderBy));
      const range = {
        start: req.startTime && timestampDate(req.startTime),
        end: req.endTime && timestampDate(req.endTime),
      };
      const { rows, ...tokens } = toPage(await listEvents(call.db, call.tenantId, req, range, page), page);
      return { events: rows.map((row) => eventFromRow(row, call.liveMode)), ...tokens };
    },

    watchEvents: (req, ctx) => watchEvents(deps.eventFeed, callOf(ctx), req, ctx.signal),
  };
}

// Numbers are unique and in the order of time.
function orderOf(text: string): OrderTerm[] {
  const [term] = parseOrderBy(text, { create_time: { nullable: false } });
  return [{ column: "id", descending: term?.descending ?? true, nullable: false }];
}
