import type { Context } from "moleculer";
import { EventHub } from "../../mixins/http/events.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin } from "../../mixins/schema.ts";
import { ImportsSeen } from "./import-flow.ts";

/** What the mixin adds to `this`. */
export interface Tells {
  /** Tells what happens to those who listen. */
  hub: EventHub;
  /** What it last told of each stage: every instance of `operations` says it. */
  stagesTold: Map<string, string>;
  /** Uploads by their ids, as the gateways tell each other; bounded. */
  imports: Map<string, ImportTold>;
  /** What the record said of them. */
  importsSeen: ImportsSeen;
  /** Tells how an upload goes on, until `end`. */
  tellImport(about: { tenant: string; importId: string }, counts: () => Counts): { end(): void };
}
export interface ImportTold extends Counts {
  importId: string;
  tenant: string;
  state: "running" | "ended";
  /** When this gateway first and last heard of it, ms since 1970. */
  startedAt: number;
  toldAt: number;
}
interface Counts {
  rows: number;
  accepted: number;
  refused: number;
}

/** How often an upload that goes on is told of. */
const importMs = 1_000;
/** Uploads that are remembered, and for how long. */
const importsKept = 200;
const importsKeptMs = 24 * 3_600_000;

/** What happens in the mesh, to those who listen at this gateway (`GET /v1/events`). */
export const tellers = defineMixin<Tells>()({
  methods: {
    tellImport(about: { tenant: string; importId: string }, counts: () => Counts) {
      const tell = (state: "running" | "ended") => {
        const { rows, accepted, refused } = counts();
        this.broker.broadcast("import.progress", { ...about, state, rows, accepted, refused });
      };
      tell("running");
      const timer = setInterval(() => tell("running"), importMs);
      return {
        end() {
          clearInterval(timer);
          tell("ended");
        },
      };
    },
  },
  events: {
    "mesh.stage"(ctx: Context<{ name: string; state: string; why?: string; by?: string }>) {
      const { name, state, why, by } = ctx.params;
      const text = JSON.stringify([state, why, by]);
      if (this.stagesTold.get(name) === text) return;
      this.stagesTold.set(name, text);
      this.hub.tell({ event: "stage", tenant: null, data: ctx.params });
    },
    "dead-letters.filed"(ctx: Context<{ counts: { tenant: string }[] }>) {
      for (const count of ctx.params.counts)
        this.hub.tell({ event: "dead-letters", tenant: count.tenant || null, data: { ...count, to: "dead" } });
    },
    "dead-letters.settled"(ctx: Context<{ job: { tenant: string }; counts: { tenant: string }[] }>) {
      const { job, counts } = ctx.params;
      for (const count of counts) this.hub.tell({ event: "dead-letters", tenant: count.tenant || null, data: count });
      this.hub.tell({ event: "job", tenant: job.tenant === "*" ? null : job.tenant, data: job });
    },
    "mesh.budget"(ctx: Context<{ tenant: string }>) {
      this.hub.tell({ event: "budget", tenant: ctx.params.tenant, data: ctx.params });
    },
    "import.progress"(ctx: Context<Omit<ImportTold, "startedAt" | "toldAt">>) {
      const now = Date.now();
      const { importId } = ctx.params;
      const startedAt = this.imports.get(importId)?.startedAt ?? now;
      this.imports.set(importId, { ...ctx.params, startedAt, toldAt: now });
      for (const [id, { toldAt }] of this.imports)
        if (this.imports.size > importsKept || now - toldAt > importsKeptMs) this.imports.delete(id);
      this.hub.tell({ event: "import", tenant: ctx.params.tenant, data: ctx.params });
    },
  },
  created() {
    this.hub = new EventHub();
    this.stagesTold = new Map();
    this.imports = new Map();
    this.importsSeen = new ImportsSeen();
    // An open stream would hold up the end of the server.
    resourcesOf(this.broker).onDrain(async () => this.hub.close());
  },
});
