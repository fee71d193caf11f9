import type { Context, Service } from "moleculer";
import { headers, tenantPattern } from "../../config/names.ts";
import { type Acceptor, acceptor } from "../../mixins/accept.ts";
import { maxBytes, pack } from "../../mixins/actor/envelope.ts";
import { Publisher } from "../../mixins/actor/publisher.ts";
import { actor } from "../../mixins/actor.ts";
import { outage } from "../../mixins/errors.ts";
import { JetStreamError, jsApi } from "../../mixins/jetstream.ts";
import { meterOf } from "../../mixins/metrics.ts";
import { type Resources, resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { Sweeper } from "../../mixins/sweeper.ts";
import { writeTraceparent } from "../../mixins/trace/ids.ts";
import { areaCodePattern } from "../intake/limits.ts";
import { type Trust, trustLevels } from "../leads/lead.ts";
import { sweepRaw } from "../leads/raw.sql.ts";
import { openWork, workState } from "./source.sql.ts";
import { itemsOf, pageEffect, providerTrust, type WorkItem, type WorkOrder } from "./work.ts";
import { SourceWorker } from "./worker.ts";

const stage = "source";
/** An item that is done can be opened again after this: listings change daily. */
const againAfterMs = 24 * 3_600_000;

interface Vars {
  edge: Acceptor;
  publisher: Publisher;
  worker: SourceWorker;
  raw: Sweeper;
}
const vars = defineMixin<Vars>()({});

/**
 * Fills the intake from listing providers. Its work list is zip x vertical; an item is leased to one instance at a time,
 * which takes it page by page: read, normalise, accept, and only then note that the page is done. docs/intake.md
 */
export default defineService({
  name: stage,
  // A lease outlives the longest that a provider may take for a page (LEADS_PROVIDER_TIMEOUT_MS).
  settings: { leaseMs: 60_000, patienceMs: 30_000, sweepMs: 600_000 },
  mixins: [
    vars,
    actor<WorkItem>({
      stage,
      handle(batch) {
        const { worker } = this as Service & Vars;
        return Promise.all(batch.map((work) => worker.workOff(work)));
      },
    }),
  ],
  actions: {
    /**
     * Puts work on the list: every zip with every vertical. The same again while it is open, or within a day after it
     * was done, is one. Answers how many items are open of those that were named, and how many of them newly.
     */
    enqueue: {
      params: {
        tenant: { type: "string", pattern: tenantPattern },
        provider: { type: "string", pattern: /^[a-z0-9-]{1,32}$/ },
        listing: { type: "string", min: 1, max: 2_000 },
        zips: { type: "array", min: 1, max: 10_000, items: { type: "string", pattern: /^[0-9A-Za-z -]{2,10}$/ } },
        verticals: { type: "array", min: 1, max: 200, items: { type: "string", min: 1, max: 64 } },
        trust: { type: "enum", values: Object.keys(trustLevels), optional: true },
        region: { type: "string", pattern: /^[A-Z]{2}$/, optional: true },
        areaCode: { type: "string", pattern: areaCodePattern, optional: true },
      },
      async handler(ctx: Context<Omit<WorkOrder, "region" | "trust"> & { region?: string; trust?: Trust }>) {
        const { settings, databases, names } = resourcesOf(this.broker);
        const { region = settings.defaultRegion, trust = providerTrust[ctx.params.provider] ?? "scraped" } = ctx.params;
        const order: WorkOrder = { ...ctx.params, region, trust };
        const items = new Map(itemsOf(order, Date.now()).map((item) => [item.leadId, item]));
        const open = await openWork(databases.of(order.tenant), [...items.values()], againAfterMs);
        const requestId = ctx.requestID!;
        const traceparent = writeTraceparent(requestId, ctx.id, ctx.tracing === true);
        const route = { tenant: order.tenant, lane: "bulk" as const, requestId, traceparent };
        await Promise.all(
          open.map(async ({ workId, round }) => {
            // An envelope an item, so that instances share them.
            const [envelope] = pack(route, [{ lead: { ...items.get(workId)!, revision: round } }]);
            envelope!.headers.set(headers.msgId, `source.${workId}.${round}`);
            const subject = names.mailbox(stage).subject("bulk");
            await this.publisher.publish(subject, envelope!.data, envelope!.headers, {
              full: "throw",
              timeoutMs: 5_000,
            });
          }),
        );
        return { items: items.size, open: open.length, opened: open.filter(({ opened }) => opened).length };
      },
    },
    /** How far a tenant's work list is. */
    progress: {
      params: { tenant: { type: "string", pattern: tenantPattern } },
      handler(ctx: Context<{ tenant: string }>) {
        return workState(resourcesOf(this.broker).databases.of(ctx.params.tenant), ctx.params.tenant);
      },
    },
  },
  created() {
    const { databases, erased, settings, onDrain } = resourcesOf(this.broker);
    const meter = meterOf(this.broker);
    this.edge = acceptor(resourcesOf(this.broker), (lane, leads) => meter.add("leads_accepted_total", { lane }, leads));
    this.worker = new SourceWorker({
      leaseMs: this.settings.leaseMs,
      patienceMs: this.settings.patienceMs,
      rawDays: settings.rawDays,
      databases,
      erased,
      page: ({ provider, listing, zip, vertical, region, tenant, leadId, revision }, cursor) =>
        this.broker.call(`listing-${provider}.page`, {
          listing,
          zip,
          vertical,
          region,
          cursor,
          // Who pays, and for what: a page read again is the same effect.
          tenant,
          effect: pageEffect({ leadId, revision }, cursor),
        }),
      hasRoom: () => hasRoom(resourcesOf(this.broker)),
      bulk: (origin) => this.edge.bulk(origin, { fullForMs: 5_000 }),
    });
    this.raw = new Sweeper({
      databases,
      // 0 days: all of it, for nothing new is kept either.
      sweeps: [(knex, limit) => sweepRaw(knex, settings.rawDays, limit)],
      everyMs: this.settings.sweepMs,
      onFault: (error) => this.logger.warn("cannot sweep old listings", error.message),
    });
    onDrain(async () => {
      this.worker.stopping = true;
    });
  },
  async started() {
    this.publisher = new Publisher(await resourcesOf(this.broker).nats());
    this.raw.start();
  },
  async stopped() {
    await this.raw?.stop();
    this.edge.close();
    this.publisher?.close();
  },
});

/** Is there room in the intake for one more envelope? An intake of few bytes is full with less than a quarter of them left. */
async function hasRoom({ nats, names }: Resources): Promise<boolean> {
  try {
    const { config, state } = await jsApi<{ config: { max_bytes: number }; state: { bytes: number } }>(
      await nats(),
      `STREAM.INFO.${names.intake.stream}`,
    );
    return state.bytes + Math.min(maxBytes, config.max_bytes / 4) <= config.max_bytes;
  } catch (error) {
    // No leader yet, say: it is no fault of the item.
    throw error instanceof JetStreamError ? outage("nats", error) : error;
  }
}
