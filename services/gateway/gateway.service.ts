import { setTimeout as delay } from "node:timers/promises";
import type { Context, Service } from "moleculer";
import { acceptor } from "../../mixins/accept.ts";
import { LeadsError } from "../../mixins/errors.ts";
import type { Handlers } from "../../mixins/http/call.ts";
import { openapi } from "../../mixins/http/openapi.ts";
import { errorTypeOf } from "../../mixins/http/problem.ts";
import { type Edge, http } from "../../mixins/http.ts";
import { IdempotencyKeys } from "../../mixins/idempotency.ts";
import { ensureStreams, JetStreamError } from "../../mixins/jetstream.ts";
import { meterOf } from "../../mixins/metrics.ts";
import { type PoolNews, PoolWatch, poolEvent } from "../../mixins/pool-watch.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import pkg from "../../package.json" with { type: "json" };
import { analyticsHandlers } from "./analytics-handlers.ts";
import { leadIdOf, mockupPolicy, shown } from "./calls.ts";
import { type Looks, look, needed } from "./checks.ts";
import { consoleHandlers } from "./console-handlers.ts";
import { intakeHandlers, type TakesIn } from "./intake-handlers.ts";
import { logHandlers } from "./log-handlers.ts";
import { mailHandlers } from "./mail-handlers.ts";
import { operateHandlers } from "./operate-handlers.ts";
import { type OperationId, operations } from "./operations.ts";
import { readiness, type StageNews, type StageSeen } from "./readiness.ts";
import { reviewHandlers } from "./review-handlers.ts";
import { rightsHandlers } from "./rights-handlers.ts";
import { schemas } from "./schemas.ts";
import { type Tells, tellers } from "./tellers.ts";
import { tierHandlers } from "./tier-handlers.ts";

interface Vars extends TakesIn {
  /** `node stage` -> what it last said. */
  news: Map<string, StageNews>;
  /** Database pools that are used up, in any process. */
  pools: PoolWatch;
  /** The last look at what the mesh stands on: anybody may ask, nobody makes us look more than once a second. */
  lastLook: { at: number; looks: Promise<Looks> } | undefined;
}
type Gateway = Service & Vars & Edge & Tells & { stagesSeen(timeout: number): Promise<readonly StageSeen[]> };

const description = openapi(operations, {
  title: "LeadFactory Mesh",
  version: pkg.version,
  description: "Takes leads in, one or many, and shows what became of them.",
  schemas,
});

const lookEveryMs = 1_000;

const handlers: Handlers<OperationId, Gateway> = {
  ...intakeHandlers,

  async listLeads(call) {
    const { status, ...query } = call.query;
    const params = { ...query, tenant: call.tenant, ...(status === undefined ? {} : { state: status }) };
    const { items, next } = await call.ctx.call<{ items: any[]; next: string | null }, object>("leads.list", params);
    return { json: { items: items.map(shown), next } };
  },

  async getLead(call) {
    const { tenant, ctx } = call;
    const id = leadIdOf(call);
    const read = async () => {
      try {
        return await ctx.call<any, object>("leads.get", { tenant, id });
      } catch (error) {
        if (errorTypeOf(error) === "NOT_FOUND") return undefined;
        throw error;
      }
    };
    let down: unknown;
    const found = await read().catch((error) => {
      if (errorTypeOf(error) !== "OUTAGE") throw error;
      down = error;
    });
    if (found) return { json: shown(found) };
    // Accepted and not yet recorded: it says so with PostgreSQL down too.
    if (await this.acceptor.isQueued(tenant, id)) return { json: { id, status: "queued", timeline: [] } };
    if (down) throw down;
    // The record may have taken it over between the two looks.
    const recorded = await read();
    if (!recorded) throw new LeadsError("NOT_FOUND", "there is no such lead");
    return { json: shown(recorded) };
  },

  async getMockup(call) {
    const params = { tenant: call.tenant, id: leadIdOf(call) };
    const { html } = await call.ctx.call<{ html: string }, object>("mockup.render", params);
    return { html, headers: { "Content-Security-Policy": mockupPolicy } };
  },

  async listOutbox(call) {
    return { json: await call.ctx.call("email.outbox", { ...call.query, tenant: call.tenant }) };
  },

  async getBudget(call) {
    return { json: await call.ctx.call("budget.status", { tenant: call.tenant }) };
  },
  ...mailHandlers,
  ...logHandlers,
  ...consoleHandlers,
  ...analyticsHandlers,
  ...reviewHandlers,
  ...rightsHandlers,
  ...tierHandlers,
  ...operateHandlers,

  healthz: () => ({ json: { status: "ok" } }),

  async readyz() {
    const resources = resourcesOf(this.broker);
    const now = Date.now();
    if (!this.lastLook || now - this.lastLook.at > lookEveryMs)
      this.lastLook = {
        at: now,
        looks: look(resources, {
          keysRead: this.keys.isReady,
          rateShared: this.limiter.shared,
          usedUp: this.pools.usedUp(now),
          stages: (timeout) => this.stagesSeen(timeout),
        }),
      };
    const { checks, paused, seen } = await this.lastLook.looks;
    const flow = resources.flow.map(({ name }) => name);
    const answer = readiness(checks, needed, flow, this.news.values(), paused, seen, Date.now());
    if (answer.status !== "unready") return { json: answer };
    return { status: 503, headers: { "Retry-After": "5" }, json: answer };
  },

  openapi: () => ({ json: description }),
};

/** The edge of the mesh: HTTP in, NATS behind. Keeps no state: any number of them, any one killed. docs/api.md */
export default defineService({
  name: "gateway",
  mixins: [http({ operations, handlers }), tellers, defineMixin<Vars>()({})] as const,
  methods: {
    /** How the service `operations` sees the stages; nothing where there is none. */
    async stagesSeen(timeout: number): Promise<readonly StageSeen[]> {
      if (!this.broker.registry.actions.isAvailable("operations.stages")) return [];
      const seen: { stages: StageSeen[] } = await this.broker.call("operations.stages", {}, { timeout, retries: 0 });
      return seen.stages;
    },
    /** Makes what a gateway needs of NATS, however long NATS takes to come, to elect its leaders, or to have room. */
    async prepare(): Promise<void> {
      const { nats, names, settings, flow, side, erased } = resourcesOf(this.broker);
      const nc = await nats();
      for (let waitMs = settings.probeMinMs; ; waitMs = Math.min(waitMs * 2, settings.probeMaxMs)) {
        try {
          await ensureStreams(nc, names, settings, flow, side);
          void this.keys.run(nc);
          this.erased = await erased();
          return await this.keys.ready;
        } catch (error) {
          if (!(error instanceof JetStreamError) && errorTypeOf(error) !== "OUTAGE") throw error;
          if (this.leaving.signal.aborted || nc.isClosed()) return;
          this.logger.warn(`cannot take leads yet: ${(error as Error).message}`);
          await delay(waitMs, undefined, { ref: false });
        }
      }
    },
  },
  events: {
    /** What each instance of a stage says of itself. */
    "stage.state"(ctx: Context<StageNews>) {
      const { stage, nodeID, state, outage } = ctx.params;
      this.news.set(`${nodeID} ${stage}`, { stage, nodeID, state, outage, heardAt: Date.now() });
    },
    [poolEvent](ctx: Context<PoolNews>) {
      this.pools.hear(ctx.params, Date.now());
    },
    "$node.disconnected"(ctx: Context<{ node: { id: string } }>) {
      this.pools.forget(ctx.params.node.id);
      for (const [name, { nodeID }] of this.news) if (nodeID === ctx.params.node.id) this.news.delete(name);
    },
  },
  created() {
    const resources = resourcesOf(this.broker);
    const meter = meterOf(this.broker);
    this.acceptor = acceptor(resources, (lane, leads) => meter.add("leads_accepted_total", { lane }, leads));
    this.idempotency = new IdempotencyKeys(resources.nats, resources.names);
    this.news = new Map();
    this.pools = new PoolWatch();
  },
  async started() {
    // With NATS away it listens all the same and says what is missing: /healthz must not fail for that.
    const patience = delay(3_000, undefined, { ref: false });
    let begun = false;
    const prepared = this.prepare().catch((error: Error) => {
      if (!begun) throw error;
      // Nobody waits for it any more. A connection that breaks while the process leaves is no fault.
      if (this.server.listening) this.broker.fatal("the gateway cannot begin", error);
    });
    await Promise.race([prepared, patience]);
    begun = true;
  },
  stopped() {
    this.acceptor.close();
  },
});
