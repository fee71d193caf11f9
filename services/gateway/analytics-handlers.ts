import type { Service } from "moleculer";
import type { Call, Handlers } from "../../mixins/http/call.ts";
import type { Answer } from "../../mixins/http/send.ts";
import type { analyticsOperations } from "./analytics-operations.ts";
import { csvOf } from "./csv.ts";
import { reachOf } from "./operate-handlers.ts";

/** What answers the operations about business figures: the service `analytics` has them. */
export const analyticsHandlers: Handlers<(typeof analyticsOperations)[number]["id"], Service> = {
  getAnalytics: (call) => figures(call, "analytics.read", "leads"),
  getRuleFigures: (call) => figures(call, "analytics.rules", "rules"),
};

async function figures(call: Call, action: string, what: string): Promise<Answer> {
  const { format, ...query } = call.query;
  const json = await call.ctx.call<{ from: string; to: string; items: Record<string, unknown>[] }, object>(action, {
    ...query,
    tenant: reachOf(call),
  });
  if (format !== "csv") return { json };
  return {
    bytes: Buffer.from(csvOf(json.items)),
    type: "text/csv; charset=utf-8",
    headers: { "Content-Disposition": `attachment; filename="${what}-${json.from}-${json.to}.csv"` },
  };
}
