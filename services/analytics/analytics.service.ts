import type { Context } from "moleculer";
import { tenantPattern } from "../../config/names.ts";
import { LeadsError } from "../../mixins/errors.ts";
import { transaction } from "../../mixins/knex.ts";
import { wordsOf } from "../../mixins/log.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { tableOf } from "../../mixins/table.ts";
import { countNamed } from "./count.sql.ts";
import { Counter } from "./counter.ts";
import {
  type Axis,
  axes,
  daysBetween,
  dayText,
  everyDay,
  figuresOf,
  inOrder,
  mostCurves,
  mostDays,
  notMeasuredOf,
} from "./figures.ts";
import { type Asked, countedAt, daysOf, rulesOf, totalsOf, valuesOf } from "./read.sql.ts";

/** `*`: every tenant's. */
const tenant = { type: "string", pattern: new RegExp(`${tenantPattern.source}|^\\*$`) } as const;
const day = { type: "string", pattern: /^\d{4}-\d\d-\d\d$/, optional: true } as const;
const word = { type: "string", max: 64, optional: true } as const;
const strict = { $$strict: true } as const;

interface Period {
  tenant: string;
  from?: string;
  to?: string;
}
interface ReadParams extends Period {
  by: Axis;
  daily: boolean;
  source?: string;
  vertical?: string;
  zip?: string;
  limit: number;
}
interface Vars {
  counter: Counter;
}

/** The business figures: keeps them, by and by, and tells them. docs/analytics.md */
export default defineService({
  name: "analytics",
  settings: { everyMs: 1_000, busyMs: 5_000, batch: 40_000 },
  mixins: [defineMixin<Vars>()({})] as const,
  actions: {
    /** The funnel by one axis: `{ from, to, by, daily, countedAt, notMeasured, totals, items, left }`, items as mixins/table.ts has them. */
    read: {
      cache: false,
      params: {
        tenant,
        from: day,
        to: day,
        by: { type: "enum", values: axes, default: "day" },
        daily: { type: "boolean", default: false },
        source: word,
        vertical: word,
        zip: word,
        limit: { type: "number", integer: true, min: 1, max: 1_000, default: 50 },
        ...strict,
      },
      async handler(ctx: Context<ReadParams>) {
        const { tenant, by, source, vertical, zip } = ctx.params;
        const byZip = by === "zip" || zip !== undefined;
        if (byZip && (by === "source" || by === "vertical" || (source ?? vertical) !== undefined))
          throw refused("zip", "is not counted together with source and vertical");
        const days = periodOf(ctx.params);
        const asked: Asked = { ...reach(tenant, days), ...given({ source, vertical, zip }) };
        const { databases, settings } = resourcesOf(this.broker);
        const knex = databases.of(tenant);
        const daily = by !== "day" && ctx.params.daily;
        const limit = daily ? Math.min(ctx.params.limit, mostCurves) : ctx.params.limit;
        // First: what is told is at least as new.
        const counted = await countedAt(knex);
        const totals = await totalsOf(knex, asked, by);
        const openTracking = settings.openTracking === "on" && settings.smtpUrl === "";
        const notMeasured = notMeasuredOf(totals, { openTracking });
        const { rows, values } =
          by === "day"
            ? { rows: inOrder(await daysOf(knex, asked), days), values: days.length }
            : await valuesOf(knex, asked, by, { limit, daily });
        const items = daily ? everyDay(rows, days) : rows;
        return {
          from: asked.from,
          to: asked.to,
          by,
          daily,
          countedAt: counted,
          notMeasured,
          totals: figuresOf(totals, notMeasured),
          items: tableOf(
            items.map((row) => ({
              key: row["key"],
              ...(daily && { day: row["day"] }),
              ...figuresOf(row, notMeasured),
            })),
          ),
          left: values - new Set(rows.map((row) => row["key"])).size,
        };
      },
    },

    /** How often each scoring rule fired: `{ from, to, countedAt, items }`, of rule, points, multiplier, leads and meanScore. */
    rules: {
      cache: false,
      params: { tenant, from: day, to: day, ...strict },
      async handler(ctx: Context<Period>) {
        const asked = reach(ctx.params.tenant, periodOf(ctx.params));
        const knex = resourcesOf(this.broker).databases.of(ctx.params.tenant);
        const counted = await countedAt(knex);
        const rows = await rulesOf(knex, asked);
        const number = (value: unknown) => (typeof value === "number" ? value : null);
        return {
          from: asked.from,
          to: asked.to,
          countedAt: counted,
          items: tableOf(
            rows.map(({ fired, leads, scores }) => ({
              rule: String(fired.name ?? ""),
              points: number(fired.points),
              multiplier: number(fired.multiplier),
              leads,
              meanScore: Math.round((scores / leads) * 10) / 10,
            })),
          ),
        };
      },
    },

    /** Counts these leads anew now: an erasure does not wait for its turn. */
    recount: {
      params: {
        tenant: { type: "string", pattern: tenantPattern },
        leadIds: { type: "array", items: "uuid" },
        ...strict,
      },
      async handler(ctx: Context<{ tenant: string; leadIds: string[] }>) {
        const { tenant, leadIds } = ctx.params;
        await transaction(resourcesOf(this.broker).databases.of(tenant), (trx) => countNamed(trx, tenant, leadIds));
      },
    },
  },
  created() {
    this.counter = new Counter({
      databases: resourcesOf(this.broker).databases,
      everyMs: this.settings.everyMs,
      busyMs: this.settings.busyMs,
      batch: this.settings.batch,
      onFault: (error) => this.logger.warn("cannot count the business figures: they grow old", wordsOf(error)),
    });
  },
  started() {
    this.counter.start();
  },
  async stopped() {
    await this.counter?.stop();
  },
});

const refused = (field: string, message: string) =>
  new LeadsError("VALIDATION", `${field} ${message}`, { faults: [{ field, message }] });

/** The days that are meant. Throws `VALIDATION`. */
function periodOf({ from, to }: Period): string[] {
  const days = daysBetween(from, to ?? dayText(Date.now()));
  if (!days) throw refused("from", `and to are days, in this order, ${mostDays} at the most`);
  return days;
}

const reach = (tenant: string, days: readonly string[]): Asked => ({
  tenant: tenant === "*" ? undefined : tenant,
  from: days[0]!,
  to: days.at(-1)!,
});

const given = (filters: Record<string, string | undefined>): Partial<Asked> =>
  Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined));
