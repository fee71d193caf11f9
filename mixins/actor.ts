import type { Service } from "moleculer";
import type { Status } from "nats";
import { nextStage } from "../config/pipeline.ts";
import type { Settings } from "../config/settings.ts";
import { ActorMeter } from "./actor/meter.ts";
import type { OutageState } from "./actor/outage.ts";
import type { Item, Outcome, Verdict, Work } from "./actor/outcome.ts";
import { Publisher } from "./actor/publisher.ts";
import type { StageStats } from "./actor/stats.ts";
import { Worker } from "./actor/worker.ts";
import { type Pause, pauseStage, resumeStage, watchPause } from "./control.ts";
import { ensureShared, ensureStage, stageOptions } from "./jetstream.ts";
import { onRead } from "./metrics/process.ts";
import { meterOf } from "./metrics.ts";
import { resourcesOf } from "./resources.ts";
import { defineMixin, type Mixin } from "./schema.ts";
import { tracingOf } from "./tracing.ts";

export interface ActorOptions<T extends Item> {
  /** The stage's name in config/pipeline.ts. */
  stage: string;
  /**
   * The stage's work: one outcome for each item, in the same order. Called with up to `batchLeads` items (bulk: up to
   * `quietBatchLeads` while no live lead is about), and again with the same ones after a fault or a redelivery: its effects
   * must be idempotent, and what it changes on a lead too.
   * Throwing means the whole batch failed: an outage (`mixins/actor/outage.ts`) makes the stage wait; anything else
   * splits the batch in halves until the culprit stands alone, which then is retried by the stage's policy, or is a
   * dead letter at once where `error.retryable === false`.
   */
  handle(this: Service<any>, batch: Work<T>[]): Promise<Outcome<T>[]> | Outcome<T>[];
  /**
   * Writes verdicts (forward, complete, merge, reject) to the record before their successors are published and their
   * messages acknowledged. Must be idempotent. A stage that completes, merges or rejects must have one.
   */
  checkpoint?(this: Service<any>, stage: string, verdicts: Verdict<T>[]): Promise<void>;
  /** Looks whether a dependency is back, by the name its outage error carries (`data.dependency`). `postgres` is known. */
  probes?: Record<string, (this: Service<any>) => Promise<unknown>>;
}

/** What one instance of a stage says of itself: action `<stage>.state`, and event `stage.state` at every change. */
export interface StageState {
  stage: string;
  nodeID: string;
  /** `working`, or why not. */
  state: "working" | "paused" | "outage" | "draining";
  pause: Pause | null;
  outage: OutageState | null;
  /** Whose mailboxes it reads. */
  lanes: Settings["lanes"];
  /** Leads in hand. */
  inHand: number;
  stats: StageStats;
  /** ms since 1970 */
  at: number;
}

interface Vars {
  $worker: Worker<any>;
  $publisher: Publisher;
  $pause: Pause | null;
  $draining: boolean;
  $ends: (() => void)[];
}

/** How often an instance says how it is, changes apart. */
const tellEveryMs = 5_000;

/**
 * Makes a service the actor of a stage: it reads the stage's mailbox in batches, asks `handle`, checkpoints, publishes
 * the successors and acknowledges last. docs/actor.md tells what it does in which case. Adds the actions `state`,
 * `pause` and `resume`.
 */
export function actor<T extends Item>(options: ActorOptions<T>): Mixin<{}> {
  const { stage } = options;
  return defineMixin<Vars>()({
    methods: {
      $state(): StageState {
        const outage = this.$worker?.outage ?? null;
        return {
          stage,
          nodeID: this.broker.nodeID,
          state: this.$draining ? "draining" : this.$pause ? "paused" : outage ? "outage" : "working",
          pause: this.$pause,
          outage,
          lanes: resourcesOf(this.broker).settings.lanes,
          inHand: this.$worker?.inHand ?? 0,
          stats: { ...this.$worker?.stats },
          at: Date.now(),
        };
      },
      $tell() {
        this.broker.broadcast("stage.state", this.$state());
      },
      async $begin() {
        const resources = resourcesOf(this.broker);
        const { settings, names, flow, side, databases } = resources;
        const [nc, erased] = [await resources.nats(), await resources.erased()];
        // Told to stop before it has begun.
        if (this.$draining) return;
        const inFlow = flow.some((line) => line.name === stage);
        const line = stageOptions(stage, flow, side);
        const meter = new ActorMeter(meterOf(this.broker), stage, line.places);
        onRead(this.broker, () => meter.read(this.$worker.inHand));
        this.$publisher = new Publisher(nc);
        this.$worker = new Worker<T>({
          nc,
          names,
          settings,
          publisher: this.$publisher,
          tracing: tracingOf(this.broker),
          stage: line,
          meter,
          next: inFlow ? nextStage(stage, flow) : null,
          handle: (batch) => options.handle.call(this, batch),
          checkpoint: options.checkpoint && ((verdicts) => options.checkpoint!.call(this, stage, verdicts)),
          isErased: (tenant, leadId) => erased.has(tenant, leadId),
          probe: (dependency) => {
            const probe = options.probes?.[dependency];
            if (probe) return () => probe.call(this);
            return dependency === "postgres" ? () => databases.ping() : undefined;
          },
          log: (level, message, fields) => this.logger[level](message, fields),
          onChange: () => this.$tell(),
        });
        const unwatch = await watchPause(nc, names, stage, (pause) => {
          const was = this.$pause;
          this.$pause = pause;
          if (this.$draining || (pause === null) === (was === null)) return;
          this.logger.info(pause ? "stage is paused" : "stage works again", {
            stage,
            by: pause?.by,
            reason: pause?.reason,
          });
          if (pause) void this.$worker.pause();
          else this.$worker.resume();
          this.$tell();
        });
        const beat = setInterval(() => this.$tell(), tellEveryMs);
        const statuses = nc.status() as AsyncIterable<Status> & { stop(): void };
        this.$ends.push(
          unwatch,
          () => clearInterval(beat),
          () => statuses.stop(),
        );
        void (async () => {
          for await (const { type } of statuses) if (type === "reconnect") this.$worker.reconnected();
        })();
        // Told to stop meanwhile: $drain has seen the worker, but not these.
        if (this.$draining) for (const end of this.$ends.splice(0)) end();
        else if (!this.$pause) this.$worker.resume();
      },
      async $drain() {
        this.$draining = true;
        for (const end of this.$ends.splice(0)) end();
        if (!this.$worker) return;
        this.$tell();
        await this.$worker.drain(resourcesOf(this.broker).settings.drainMs);
        this.$publisher.close();
      },
    },
    actions: {
      /** How this instance is; ask each node by its id, or listen to `stage.state`. */
      state() {
        return this.$state();
      },
      /** Stops all instances of the stage from taking more; survives restarts. */
      pause: {
        params: { by: "string|min:1|max:100", reason: "string|max:500" },
        async handler(ctx) {
          const { nats, names } = resourcesOf(this.broker);
          await pauseStage(await nats(), names, stage, {
            by: ctx.params.by,
            reason: ctx.params.reason,
            at: Date.now(),
          });
        },
      },
      resume: {
        params: { by: { type: "string", min: 1, max: 100, optional: true } },
        async handler(ctx) {
          const { nats, names } = resourcesOf(this.broker);
          await resumeStage(await nats(), names, stage, ctx.params?.by ?? `node ${ctx.nodeID}`);
        },
      },
    },
    created() {
      this.$pause = null;
      this.$draining = false;
      this.$ends = [];
      resourcesOf(this.broker).onDrain(() => this.$drain());
    },
    async started() {
      const { settings, names, flow, side, nats } = resourcesOf(this.broker);
      const nc = await nats();
      const line = stageOptions(stage, flow, side);
      await ensureShared(nc, names, settings);
      await ensureStage(nc, names, line, settings);
      // Work begins when every service of this process is there to be called.
      if (this.broker.started) await this.$begin();
      else
        this.broker.localBus.once(
          "$broker.started",
          () => void this.$begin().catch((error) => this.broker.fatal("actor cannot begin", error)),
        );
    },
  });
}
