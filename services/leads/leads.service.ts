import { setTimeout as delay } from "node:timers/promises";
import type { Context } from "moleculer";
import { tenantPattern } from "../../config/names.ts";
import { LeadsError } from "../../mixins/errors.ts";
import { ensureShared, jsApi } from "../../mixins/jetstream.ts";
import { isDatabaseOutage, statement } from "../../mixins/knex.ts";
import { knexAdapter, type PageParams } from "../../mixins/knex-adapter.ts";
import { wordsOf } from "../../mixins/log.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { importStates } from "./imports.sql.ts";
import { isTier, leadStates, lowestTier, type Tier, tiers } from "./lead.ts";
import { leadsTable, searchFilter, shownFields } from "./leads-table.ts";
import { pendingMigrations } from "./migrations/migrate.ts";
import { acceptedAt, mockupOf, sourcesOf } from "./read.sql.ts";
import { Recorder } from "./recorder.ts";
import { chosenTier, writeTier } from "./tenants.sql.ts";

const tenant = { type: "string", pattern: tenantPattern } as const;
const id = { type: "uuid" } as const;
const word = { type: "string", min: 1, max: 200, optional: true } as const;
const filters = {
  state: { type: "enum", values: leadStates.filter((state) => state !== "queued"), optional: true },
  stage: word,
  source: word,
  vertical: word,
  minScore: { type: "number", integer: true, min: 0, max: 100, convert: true, optional: true },
  /** An e-mail address, an E.164 phone number or a domain, exact. */
  q: { type: "string", min: 3, max: 254, optional: true },
} as const;
const paging = {
  limit: { type: "number", integer: true, min: 1, max: 200, default: 50, convert: true },
  cursor: { type: "string", max: 200, optional: true },
  sort: { type: "enum", values: Object.keys(leadsTable.sorts), default: "accepted" },
} as const;
const strict = { $$strict: true } as const;

type Filters = { state?: string; stage?: string; source?: string; vertical?: string; minScore?: number; q?: string };
type ListParams = Omit<PageParams, "filters"> & Filters;
type LeadParams = { tenant: string; id: string };

interface Vars {
  recorder: Recorder | undefined;
  stopping: AbortController;
}

/** The record: reads leads for whoever asks, books acceptances and dead letters. docs/record.md */
export default defineService({
  name: "leads",
  mixins: [knexAdapter(leadsTable), defineMixin<Vars>()({})] as const,
  settings: { idField: "leadId", fields: shownFields },
  methods: {
    /** Waits for a database that is down, in the background: leads are taken in without it. */
    async watchMigrations(): Promise<void> {
      const { settings } = resourcesOf(this.broker);
      for (
        let waitMs = settings.probeMinMs;
        !this.stopping.signal.aborted;
        waitMs = Math.min(waitMs * 2, settings.probeMaxMs)
      ) {
        await delay(waitMs, undefined, { signal: this.stopping.signal }).catch(() => {});
        try {
          await this.requireMigrations();
          this.logger.info("the database answers");
          return this.record();
        } catch (error) {
          if (!isOutage(error)) this.logger.error(wordsOf(error));
        }
      }
    },
    /** Throws for a database that lacks migrations, naming them. */
    async requireMigrations(): Promise<void> {
      for (const { name, knex } of resourcesOf(this.broker).databases.all()) {
        const pending = await statement(() => pendingMigrations(knex));
        if (pending.length > 0)
          throw new Error(`database ${name} is not migrated: it lacks ${pending.join(", ")}; run the migrations first`);
      }
    },
    /** Since when acceptances wait to be booked, ms since 1970: the stream lets go of those that are. Now where none waits. */
    async bookedUntil(): Promise<number> {
      const { nats, names } = resourcesOf(this.broker);
      const now = Date.now();
      const { state } = await jsApi(await nats(), `STREAM.INFO.${names.accepted.stream}`);
      return state.messages > 0 ? Date.parse(state.first_ts) : now;
    },
    record(): void {
      if (this.stopping.signal.aborted) return;
      const { names, settings, databases, nats } = resourcesOf(this.broker);
      this.recorder = new Recorder({
        nats,
        names,
        settings,
        databases,
        logger: this.logger,
        onFiled: (counts) => this.broker.broadcast("dead-letters.filed", { counts }),
      });
      this.recorder.start();
    },
  },
  actions: {
    /** `{ items, next }`: a page of a tenant's leads, without their facts and timelines. It may be short and have a next. */
    list: {
      cache: false,
      params: { tenant, ...paging, ...filters, ...strict },
      async handler(ctx: Context<ListParams>) {
        return this.page(ctx, pageOf(ctx.params));
      },
    },
    /** The first leads of a list. */
    find: {
      cache: false,
      params: { tenant, ...paging, ...filters, ...strict },
      async handler(ctx: Context<ListParams>) {
        return (await this.page(ctx, pageOf(ctx.params))).items;
      },
    },
    /** How many leads a tenant has, up to `limit`: an answer that equals it means that many or more. */
    count: {
      cache: false,
      params: {
        tenant,
        state: filters.state,
        limit: { type: "number", integer: true, min: 1, max: 100_000, default: 10_000, convert: true },
        ...strict,
      },
      async handler(ctx: Context<{ tenant: string; state?: string; limit: number }>) {
        const { tenant, limit, state } = ctx.params;
        return this.adapter.count({ tenant, limit, filters: { state } });
      },
    },
    /** A lead with its timeline and sources; `{ state: "queued" }` and when it was accepted while it is on its way to the record. */
    get: {
      cache: false,
      params: { tenant, id, ...strict },
      async handler(ctx: Context<LeadParams>) {
        const { tenant } = ctx.params;
        const leadId = ctx.params.id.toLowerCase();
        const knex = resourcesOf(this.broker).databases.of(tenant);
        const lead = await this.one(ctx, tenant, leadId);
        if (lead) {
          const sources = await statement(() => sourcesOf(knex, tenant, leadId));
          return {
            ...lead,
            sources: sources.map(({ sourceId, ...rest }) => (sourceId === null ? rest : { ...rest, sourceId })),
          };
        }
        const accepted = await statement(() => acceptedAt(knex, tenant, leadId));
        if (accepted === undefined) throw new LeadsError("NOT_FOUND", `there is no lead ${leadId}`);
        return { tenant, leadId, state: "queued", acceptedAt: accepted };
      },
    },
    /** `{ leadId, draft, fields, facts, score }`: what a lead's mock-up is rendered from. */
    mockup: {
      cache: false,
      params: { tenant, id, ...strict },
      async handler(ctx: Context<LeadParams>) {
        const { tenant } = ctx.params;
        const leadId = ctx.params.id.toLowerCase();
        const found = await statement(() => mockupOf(resourcesOf(this.broker).databases.of(tenant), tenant, leadId));
        if (!found) throw new LeadsError("NOT_FOUND", `there is no mock-up of lead ${leadId}`);
        return { leadId, ...found };
      },
    },
    /** What became of an import's leads: `{ about, states, bookedUntil }`. What was accepted before `bookedUntil` is in it. */
    import: {
      cache: false,
      params: { tenant, id, ...strict },
      async handler(ctx: Context<LeadParams>) {
        const { tenant, id } = ctx.params;
        // First: what is booked by now is among the states that are read after it.
        const bookedUntil = await this.bookedUntil();
        const knex = resourcesOf(this.broker).databases.of(tenant);
        return { ...(await statement(() => importStates(knex, tenant, id))), bookedUntil };
      },
    },
    /** What a tenant has chosen for its leads: `{ tier }`. */
    settings: {
      cache: false,
      params: { tenant, ...strict },
      async handler(ctx: Context<{ tenant: string }>) {
        const { tenant } = ctx.params;
        return settingsOf(await chosenTier(resourcesOf(this.broker).databases.of(tenant), tenant));
      },
    },
    /** Changes it; the stages see it within ten seconds. */
    choose: {
      params: { tenant, tier: { type: "enum", values: [...tiers] }, ...strict },
      async handler(ctx: Context<{ tenant: string; tier: Tier }>) {
        const { tenant, tier } = ctx.params;
        await writeTier(resourcesOf(this.broker).databases.of(tenant), tenant, tier);
        return settingsOf(tier);
      },
    },
    /** What the booking of acceptances and dead letters does on this node: `reading`, or `waiting` for the database. */
    recorder: {
      cache: false,
      handler() {
        const { recorder } = this;
        return {
          state: recorder && !recorder.isWaiting ? "reading" : "waiting",
          foreign: { accepted: 0, dead: 0, operations: 0, ...recorder?.foreign },
        };
      },
    },
  },
  created() {
    this.stopping = new AbortController();
  },
  async started() {
    const { nats, names, settings } = resourcesOf(this.broker);
    try {
      await ensureShared(await nats(), names, settings);
      await this.requireMigrations();
      this.record();
    } catch (error) {
      if (!isOutage(error)) throw error;
      this.logger.warn(`waiting: ${(error as Error).message}`);
      void this.watchMigrations();
    }
  },
  async stopped() {
    this.stopping.abort();
    await this.recorder?.stop();
  },
});

const isOutage = (error: unknown): boolean => (error as { type?: string }).type === "OUTAGE" || isDatabaseOutage(error);

const settingsOf = (tier: unknown): { tier: Tier } => ({ tier: isTier(tier) ? tier : lowestTier });

function filtersOf({ q, ...others }: Filters): PageParams["filters"] {
  return q === undefined ? others : { ...others, ...searchFilter(q) };
}

function pageOf({ tenant, sort, limit, cursor, ...asked }: ListParams): PageParams {
  return { tenant, sort, limit, filters: filtersOf(asked), ...(cursor !== undefined && { cursor }) };
}
