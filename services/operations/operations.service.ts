import type { Context } from "moleculer";
import { tenantPattern } from "../../config/names.ts";
import { LeadsError } from "../../mixins/errors.ts";
import { statement } from "../../mixins/knex.ts";
import { meshReader } from "../../mixins/mesh-state.ts";
import { type PoolNews, poolEvent } from "../../mixins/pool-watch.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { listOperations } from "../leads/operations.sql.ts";
import { tenantsOf } from "../leads/read.sql.ts";
import type { StageHistory } from "./history.ts";
import type { News, Stage } from "./stages.ts";
import { peek, readStreams, type StreamState } from "./streams.ts";
import { readCursor, shownNode, shownOperation, writeCursor } from "./view.ts";
import { MeshWatch } from "./watch.ts";
import { findLead } from "./whereabouts.ts";
import { type LeadFacts, type Why, whyOf } from "./why.ts";

/** A tenant's name, or '*' for everybody's. */
const tenant = { type: "string", pattern: new RegExp(`${tenantPattern.source}|^\\*$`) } as const;
const strict = { $$strict: true } as const;
/** Streams are told for so long. */
const freshMs = 1_000;

interface Vars {
  watch: MeshWatch;
  lastStreams: { at: number; streams: Promise<StreamState[]> } | undefined;
}

/** What operators ask of the mesh as a whole. docs/operate.md */
export default defineService({
  name: "operations",
  mixins: [defineMixin<Vars>()({})] as const,
  methods: {
    /** What is known of a lead: the record, its dead letters, and, where it is on its way, the streams. */
    async facts(ctx: Context, tenant: string, id: string): Promise<LeadFacts> {
      const { nats, names, flow } = resourcesOf(this.broker);
      const of = { tenant, id };
      const lead = await ctx.call<any, object>("leads.get", of).catch((error: { type?: string }) => {
        if (error.type === "NOT_FOUND") return undefined;
        throw error;
      });
      const letters = await ctx.call<any[], object>("dead-letters.ofLead", { tenant, leadId: id });
      const open = letters.findLast(({ state }) => state === "dead");
      const letter = open && (await ctx.call<any, object>("dead-letters.get", { tenant, id: open.id }));
      const canTell = lead?.state === "completed" && this.broker.registry.actions.isAvailable("email.ofLead");
      const [mail] = canTell ? await ctx.call<any[], object>("email.ofLead", { tenant, id }) : [];
      // An end is an end, but for a letter of a later telling; what died may be on its way again.
      const isOver = lead && ["completed", "rejected", "merged", "discarded", "erased"].includes(lead.state);
      const found = isOver
        ? { sightings: [], incomplete: false }
        : await findLead(
            await nats(),
            names,
            flow.map(({ name }) => name),
            tenant,
            id,
          );
      const died = letter && {
        id: open.id,
        stage: open.stage,
        diedAt: open.diedAt,
        error: letter.error ?? { type: open.errorType, message: "" },
      };
      return {
        id,
        tenant,
        ...(lead ? { lead } : {}),
        ...(died ? { letter: died } : {}),
        ...(mail ? { mail } : {}),
        ...found,
      };
    },
  },
  actions: {
    /** How full every mailbox is ({@link MeshState}), read once a second at the most. */
    mesh: {
      cache: false,
      handler() {
        return meshReader(resourcesOf(this.broker)).read();
      },
    },
    /** How every stage is: `{ stages, intake }`. Those that stand beside the flow say so. */
    stages: {
      cache: false,
      async handler(): Promise<{ stages: (Stage & { beside?: true })[]; intake: object }> {
        const resources = resourcesOf(this.broker);
        const [stages, { intake }] = await Promise.all([this.watch.stages(), meshReader(resources).read()]);
        const beside = new Set(resources.side.map(({ name }) => name));
        return {
          stages: stages.map((stage: Stage) => (beside.has(stage.name) ? { ...stage, beside: true } : stage)),
          intake,
        };
      },
    },
    /** How the stages were in the last hour, as far as this instance has watched them ({@link StageHistory}). */
    history: {
      cache: false,
      params: { stage: { type: "string", max: 100, optional: true }, ...strict },
      handler(ctx: Context<{ stage?: string }>): StageHistory {
        return this.watch.history(ctx.params.stage);
      },
    },
    /** Every stream and consumer, read once a second at the most. */
    streams: {
      cache: false,
      async handler() {
        const { nats, names } = resourcesOf(this.broker);
        const now = Date.now();
        if (!this.lastStreams || now - this.lastStreams.at >= freshMs)
          this.lastStreams = { at: now, streams: readStreams(await nats(), names) };
        const [streams, { store }] = await Promise.all([
          this.lastStreams.streams,
          meshReader(resourcesOf(this.broker)).read(),
        ]);
        return { streams, store };
      },
    },
    /** The first messages of a stream; nothing is taken. */
    peek: {
      cache: false,
      params: { stream: "string|min:1|max:100", count: { type: "number", integer: true, min: 1, max: 100 }, ...strict },
      async handler(ctx: Context<{ stream: string; count: number }>) {
        const { nats, names } = resourcesOf(this.broker);
        const nc = await nats();
        const name = ctx.params.stream.startsWith(names.streams)
          ? ctx.params.stream
          : names.streams + ctx.params.stream;
        if (!(await readStreams(nc, names)).some((stream) => stream.name === name))
          throw new LeadsError("NOT_FOUND", `there is no stream ${name}`);
        return peek(nc, name, ctx.params.count);
      },
    },
    /** Every node that was seen, with its services. */
    nodes: {
      cache: false,
      handler() {
        const list = this.broker.registry.getNodeList({ onlyAvailable: false, withServices: true }) as any[];
        return { nodes: list.map((node) => shownNode(node, Date.now())) };
      },
    },
    /** `{ items, next }`: what operators did, newest first. */
    list: {
      cache: false,
      params: {
        tenant,
        limit: { type: "number", integer: true, min: 1, max: 200, default: 50 },
        cursor: { type: "string", max: 200, optional: true },
        ...strict,
      },
      async handler(ctx: Context<{ tenant: string; limit: number; cursor?: string }>) {
        const { tenant, limit, cursor } = ctx.params;
        const after = cursor === undefined ? undefined : readCursor(cursor);
        if (cursor !== undefined && !after)
          throw new LeadsError("VALIDATION", "the cursor is none of ours", {
            faults: [{ field: "cursor", message: "is none of ours" }],
          });
        const of = tenant === "*" ? undefined : tenant;
        const knex = resourcesOf(this.broker).databases.of(of ?? "");
        const rows = await statement(() => listOperations(knex, { tenant: of, after }, limit + 1));
        const next = rows.length > limit ? writeCursor(rows[limit - 1]!) : null;
        return { items: rows.slice(0, limit).map(shownOperation), next };
      },
    },
    /** Whose a lead is. */
    tenants: {
      cache: false,
      params: { id: "uuid", ...strict },
      async handler(ctx: Context<{ id: string }>) {
        const all = resourcesOf(this.broker).databases.all();
        const found = await Promise.all(all.map(({ knex }) => statement(() => tenantsOf(knex, ctx.params.id))));
        return [...new Set(found.flat())];
      },
    },
    /** Where a lead is, since when, and what it waits for; `whole`: with who paused its stage and why, or what is down. */
    why: {
      cache: false,
      timeout: 15_000,
      // Each may read the streams for seconds.
      bulkhead: { enabled: true, concurrency: 4, maxQueueSize: 20 },
      params: {
        tenant: { type: "string", pattern: tenantPattern },
        id: "uuid",
        whole: { type: "boolean", default: false },
        ...strict,
      },
      async handler(ctx: Context<{ tenant: string; id: string; whole: boolean }>): Promise<Why> {
        const { tenant, whole } = ctx.params;
        const id = ctx.params.id.toLowerCase();
        const [facts, stages]: [LeadFacts, Stage[]] = await Promise.all([
          this.facts(ctx, tenant, id),
          this.watch.stages(),
        ]);
        if (!facts.lead && !facts.letter && facts.sightings.length === 0)
          throw new LeadsError("NOT_FOUND", `there is no lead ${id}`);
        return whyOf(
          facts,
          stages.map(({ lanes, instances, by, why, ...stage }) => ({
            ...stage,
            ...(whole && by !== undefined && { by }),
            ...(whole && why !== undefined && { why }),
            unacknowledged: lanes.reduce((sum, { unacknowledged }) => sum + unacknowledged, 0),
            instances: instances.length,
          })),
        );
      },
    },
  },
  events: {
    "stage.state"(ctx: Context<News>) {
      this.watch.hear(ctx.params);
    },
    [poolEvent](ctx: Context<PoolNews>) {
      this.watch.hearOfPool(ctx.params);
    },
    "$node.disconnected"(ctx: Context<{ node: { id: string } }>) {
      this.watch.forget(ctx.params.node.id);
    },
    /** Told to one of each service: every gateway is to hear of it. */
    "budget.level"(ctx: Context<object>) {
      this.broker.broadcast("mesh.budget", ctx.params);
    },
  },
  created() {
    this.watch = new MeshWatch(this.broker, (stage) => this.broker.broadcast("mesh.stage", stage));
  },
  started() {
    this.watch.start();
  },
  stopped() {
    this.watch.stop();
  },
});
