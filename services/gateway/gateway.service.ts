import { setTimeout as delay } from "node:timers/promises";
import type { Context, Service } from "moleculer";
import { type Acceptor, acceptor, type Origin } from "../../mixins/accept.ts";
import type { Erased } from "../../mixins/erased.ts";
import { LeadsError } from "../../mixins/errors.ts";
import type { Call, Handlers } from "../../mixins/http/call.ts";
import { openapi } from "../../mixins/http/openapi.ts";
import { errorTypeOf } from "../../mixins/http/problem.ts";
import { type Edge, http } from "../../mixins/http.ts";
import { type Claim, fingerprint, IdempotencyKeys } from "../../mixins/idempotency.ts";
import { ensureStreams } from "../../mixins/jetstream.ts";
import { meterOf } from "../../mixins/metrics.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import pkg from "../../package.json" with { type: "json" };
import { parseMap, RowsError } from "../intake/columns.ts";
import { importIdOf } from "../intake/ids.ts";
import { erasedFault, marksOf } from "../intake/marks.ts";
import { normalise } from "../intake/normalise.ts";
import type { IntakeContext } from "../intake/raw.ts";
import { Revisions } from "../intake/revisions.ts";
import { readRows } from "../intake/rows.ts";
import { uuidv7 } from "../intake/uuidv7.ts";
import type { Lead } from "../leads/lead.ts";
import { idempotencyKeyOf, leadIdOf, mockupPolicy } from "./calls.ts";
import { type Looks, look, needed } from "./checks.ts";
import { mailHandlers } from "./mail-handlers.ts";
import { operateHandlers } from "./operate-handlers.ts";
import { type OperationId, operations } from "./operations.ts";
import { readiness, type StageNews } from "./readiness.ts";
import { rightsHandlers } from "./rights-handlers.ts";
import { schemas } from "./schemas.ts";
import { type Tells, tellers } from "./tellers.ts";
import { tierHandlers } from "./tier-handlers.ts";
import { Upload } from "./upload.ts";

interface Vars {
  acceptor: Acceptor;
  idempotency: IdempotencyKeys;
  /** Who was erased lately; undefined until NATS has told. */
  erased: Erased | undefined;
  /** `node stage` -> what it last said. */
  news: Map<string, StageNews>;
  /** The last look at what the mesh stands on: anybody may ask, nobody makes us look more than once a second. */
  lastLook: { at: number; looks: Promise<Looks> } | undefined;
}
type Gateway = Service & Vars & Edge & Tells;

const description = openapi(operations, {
  title: "LeadFactory Mesh",
  version: pkg.version,
  description: "Takes leads in, one or many, and shows what became of them.",
  schemas,
});

const lookEveryMs = 1_000;

const handlers: Handlers<OperationId, Gateway> = {
  async createLead(call) {
    const { tenant } = call;
    const key = idempotencyKeyOf(call);
    const result = normalise(call.json, contextOf(this, call, { source: "api", idempotencyKey: key }));
    if ("faults" in result) throw new LeadsError("VALIDATION", "this is no lead", { faults: result.faults });
    const { lead } = result;
    if (this.erased?.hasAny(tenant, () => marksOf(lead)))
      throw new LeadsError("ERASED", "the person asked to be erased");
    if (key === undefined) {
      await this.acceptor.one(lead, originOf(call));
      return accepted(lead.leadId);
    }
    const { leadId, revision } = lead;
    const mine: Claim = { body: fingerprint(call.raw), leadId, revision, requestId: call.requestId, done: false };
    const claim = await this.idempotency.claim(tenant, key, mine);
    if (!claim.done) {
      // Whoever repeats an unfinished request publishes the very envelope that the first one did, or died before it did.
      const origin = { ...originOf(call), requestId: claim.requestId };
      await this.acceptor.one({ ...lead, revision: claim.revision }, origin);
      await this.idempotency.settle(tenant, key, claim).catch((error) => this.logger.debug("not settled", error));
    }
    return accepted(claim.leadId);
  },

  async createLeads(call) {
    const { tenant, query } = call;
    const { settings } = resourcesOf(this.broker);
    const key = idempotencyKeyOf(call);
    const source = String(query["source"]);
    const importId = key === undefined ? uuidv7() : importIdOf(tenant, source, `key ${key}`);
    const origin = { ...originOf(call), importId };
    const upload = new Upload(importId, this.acceptor.bulk<Lead>(origin, { fullForMs: settings.uploadWaitMs }));
    const context = contextOf(this, call, { source, ...pick(query, "areaCode", "vertical") });
    const revisions = new Revisions();
    const told = this.tellImport({ tenant, importId }, () => upload.counts);
    try {
      const rows = readRows(call.chunks(), {
        format: call.mediaType === "text/csv" ? "csv" : "ndjson",
        rowLimitBytes: settings.rowLimitBytes,
        ...(query["map"] === undefined ? {} : { map: parseMap(String(query["map"])) }),
      });
      const end = await upload.take(
        rows,
        ({ line, raw }) => {
          const read = normalise(raw, {
            ...context,
            now: Date.now(),
            ...(key === undefined ? {} : { idempotencyKey: `${key} ${line}` }),
          });
          if (!("lead" in read)) return read;
          const { lead } = read;
          if (this.erased?.hasAny(tenant, () => marksOf(lead))) return { faults: [erasedFault] };
          lead.revision = revisions.next(lead.leadId, lead.revision);
          return read;
        },
        call.leaving,
      );
      if (end === "cut")
        throw new LeadsError("OUTAGE", "the gateway leaves", { dependency: "gateway", retryAfterMs: 1_000 });
      return { json: upload.counts };
    } catch (error) {
      const { counts } = upload;
      this.logger.info("an upload ended early", {
        requestId: call.requestId,
        importId,
        rows: counts.rows,
        accepted: counts.accepted,
      });
      throw early(error, counts);
    } finally {
      told.end();
    }
  },

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
        looks: look(resources, { keysRead: this.keys.isReady, rateShared: this.limiter.shared }),
      };
    const { checks, paused } = await this.lastLook.looks;
    const flow = resources.flow.map(({ name }) => name);
    const answer = readiness(checks, needed, flow, this.news.values(), paused, Date.now());
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
    /** Makes what a gateway needs of NATS, however long NATS takes to come. */
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
          if (errorTypeOf(error) !== "OUTAGE") throw error;
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
      const { stage, nodeID, state } = ctx.params;
      this.news.set(`${nodeID} ${stage}`, { stage, nodeID, state, heardAt: Date.now() });
    },
    "$node.disconnected"(ctx: Context<{ node: { id: string } }>) {
      for (const [name, { nodeID }] of this.news) if (nodeID === ctx.params.node.id) this.news.delete(name);
    },
  },
  created() {
    const resources = resourcesOf(this.broker);
    const meter = meterOf(this.broker);
    this.acceptor = acceptor(resources, (lane, leads) => meter.add("leads_accepted_total", { lane }, leads));
    this.idempotency = new IdempotencyKeys(resources.nats, resources.names);
    this.news = new Map();
  },
  async started() {
    // With NATS away it listens all the same and says what is missing: /healthz must not fail for that.
    const patience = delay(3_000, undefined, { ref: false });
    await Promise.race([this.prepare(), patience]);
  },
  stopped() {
    this.acceptor.close();
  },
});

const accepted = (id: string) => ({
  status: 202,
  headers: { Location: `/v1/leads/${id}` },
  json: { id, status: "queued" },
});

function originOf({ tenant, requestId, traceparent }: Call): Origin {
  return { tenant, requestId, traceparent };
}

function contextOf(
  { broker }: Gateway,
  { tenant }: Call,
  told: { source: string; idempotencyKey?: string | undefined; areaCode?: string; vertical?: string },
): IntakeContext {
  const { idempotencyKey, ...rest } = told;
  return {
    tenant,
    trust: "imported",
    defaultRegion: resourcesOf(broker).settings.defaultRegion,
    now: Date.now(),
    newId: () => uuidv7(),
    ...rest,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

/** A lead as the API shows it. */
function shown({ leadId, state, tenant: _tenant, revision: _revision, ...rest }: any): object {
  return { id: leadId, status: state, ...rest };
}

function pick(query: Call["query"], ...names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (query[name] === undefined ? [] : [[name, String(query[name])]])));
}

/** What ended an upload, with the counts so far, so that the caller can go on from there. */
function early(error: unknown, counts: object): unknown {
  if (error instanceof RowsError) return new LeadsError("VALIDATION", error.message, { faults: error.faults, counts });
  const type = errorTypeOf(error);
  if (type === "INTERNAL") return error;
  const { message, data } = error as LeadsError;
  return new LeadsError(type, message, { ...data, counts });
}
