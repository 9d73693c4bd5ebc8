import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type EventService, ListEventsRequestSchema } from "../../../gen/clientele/v1/events_pb.js";
import type { Deps } from "../../deps.js";
import { callOf } from "../../rpc/callers/caller.js";
import { type OrderTerm, parseOrderBy } from "../../rpc/lists/order-by.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { eventFromRow } from "./convert.js";
import { listEvents } from "./log-store.js";
import { watchEvents } from "./watch.js";

export function eventService(deps: Deps): ServiceImpl<typeof EventService> {
  return {
    async listEvents(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListEventsRequestSchema, req, orderOf(req.orderBy));
      const range = {
        start: req.startTime && timestampDate(req.startTime),
        end: req.endTime && timestampDate(req.endTime),
      };
      const { rows, ...tokens } = toPage(await listEvents(call.db, call.tenantId, req, range, page), page);
      return { events: rows.map(eventFromRow), ...tokens };
    },

    watchEvents: (req, ctx) => watchEvents(deps.eventFeed, callOf(ctx), req, ctx.signal),
  };
}

// The numbers are the order of time, and each is its own.
function orderOf(text: string): OrderTerm[] {
  const [term] = parseOrderBy(text, { create_time: { nullable: false } });
  return [{ column: "id", descending: term?.descending ?? true, nullable: false }];
}
