import type { Service } from "moleculer";
import type { Call, Handlers } from "../../mixins/http/call.ts";
import type { Answer } from "../../mixins/http/send.ts";
import { rowsOf, type TableOf } from "../../mixins/table.ts";
import type { analyticsOperations } from "./analytics-operations.ts";
import { csvOf } from "./csv.ts";
import { reachOf } from "./operate-handlers.ts";

interface Figures {
  from: string;
  to: string;
  items: TableOf<Record<string, unknown>>;
}

/** What answers the operations about business figures: the service `analytics` has them. */
export const analyticsHandlers: Handlers<(typeof analyticsOperations)[number]["id"], Service> = {
  getAnalytics: (call) => figures(call, "analytics.read", "leads"),
  getRuleFigures: (call) => figures(call, "analytics.rules", "rules"),
};

async function figures(call: Call, action: string, what: string): Promise<Answer> {
  const { format, ...query } = call.query;
  const figures = await call.ctx.call<Figures, object>(action, { ...query, tenant: reachOf(call) });
  const json = { ...figures, items: rowsOf(figures.items) };
  if (format !== "csv") return { json };
  return {
    bytes: Buffer.from(csvOf(json.items)),
    type: "text/csv; charset=utf-8",
    headers: { "Content-Disposition": `attachment; filename="${what}-${json.from}-${json.to}.csv"` },
  };
}
