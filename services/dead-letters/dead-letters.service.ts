import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import type { Context } from "moleculer";
import { LeadsError } from "../../mixins/errors.ts";
import { jsApi } from "../../mixins/jetstream.ts";
import { statement } from "../../mixins/knex.ts";
import { operated } from "../../mixins/operation-log.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { dryRun } from "./dry-run.ts";
import { cancelJob, createJob, findJob, type Job, listJobs, type Planned } from "./jobs.sql.ts";
import { type LetterKey, letterId, readCursor, readLetterId, writeCursor } from "./letter-id.ts";
import {
  countLetters,
  countsOf,
  everyonesPage,
  type LetterFilter,
  type LetterRow,
  letterRow,
  lettersOfLead,
  oldestLetter,
  pageByKinds,
} from "./letters.sql.ts";
import { type Asked, asked, by, type Filter, filterFields, letter, limit, strict, tenant, word } from "./params.ts";
import { patchFaults, type Rules } from "./plan.ts";
import { messageOf } from "./sweep.ts";
import { contentOf, shownFilter, shownJob, shownLetter, targetOf } from "./view.ts";
import { JobWorker } from "./worker.ts";

/** What is counted exactly of a filter with times. */
const mostCounted = 1_000_000;

type Redrive = Asked & { patch?: Record<string, unknown> };
type Discard = Asked & { reason: string };

interface Vars {
  worker: JobWorker | undefined;
}

/** Dead letters: lists them, puts them back, puts them away. docs/operate.md */
export default defineService({
  name: "dead-letters",
  mixins: [defineMixin<Vars>()({})] as const,
  methods: {
    database(of: string): Knex {
      return resourcesOf(this.broker).databases.of(of === "*" ? "" : of);
    },
    rules(): Rules {
      const { flow, side, settings } = resourcesOf(this.broker);
      return {
        stages: new Set([...flow, ...side].map(({ name }) => name)),
        first: flow[0]!.name,
        side: new Set(side.map(({ name }) => name)),
        now: Date.now(),
        defaultRegion: settings.defaultRegion,
      };
    },
    /** The job that is asked for. Nobody knows of it yet. */
    async planned(asked: Asked, kind: Job["kind"], more: Pick<Planned, "patch" | "reason">): Promise<Planned> {
      const { nats, names } = resourcesOf(this.broker);
      const meant = filterOf(asked);
      const { state } = await jsApi(await nats(), `STREAM.INFO.${names.dead.stream}`);
      const matched = await statement(() =>
        countLetters(this.database(asked.tenant), one(asked.tenant), meant, mostCounted),
      );
      return {
        id: asked.id ?? randomUUID(),
        tenant: asked.tenant,
        kind,
        filter: meant,
        by: asked.by,
        rate: asked.rate ?? null,
        most: asked.limit ?? null,
        untilSeq: state.last_seq,
        matched: Math.min(matched, asked.limit ?? matched),
        ...more,
      };
    },
    /** Puts a job down, with its line in the log of operations, and begins it. */
    async begin(job: Planned): Promise<object> {
      const { nats, names } = resourcesOf(this.broker);
      const { tenant, by, kind, filter, patch, reason, rate, most, matched } = job;
      // Asked again, as the answer was lost.
      const begun = await findJob(this.database(tenant), job.id, one(tenant));
      if (begun) return shownJob(begun);
      const operation = {
        tenant: one(tenant) ?? "",
        by,
        what: `dead-letters.${kind}`,
        target: targetOf(job),
        detail: {
          job: job.id,
          filter: shownFilter(filter),
          patched: patch && Object.keys(patch),
          reason,
          rate,
          most,
          matched,
        },
      };
      const made = await operated(await nats(), names, operation, (operationId) =>
        createJob(this.database(tenant), { ...job, operationId }),
      );
      this.worker?.kick();
      return shownJob(made);
    },
  },
  actions: {
    /** `{ items, next }`: open dead letters, newest first. */
    list: {
      cache: false,
      params: { tenant, ...filterFields, limit, cursor: word, ...strict },
      async handler(ctx: Context<Filter & { tenant: string; limit: number; cursor?: string }>) {
        const { tenant, limit, cursor, ...filter } = ctx.params;
        const after = cursor === undefined ? undefined : readCursor(cursor);
        if (cursor !== undefined && !after)
          throw new LeadsError("VALIDATION", "the cursor is none of ours", {
            faults: [{ field: "cursor", message: "is none of ours" }],
          });
        const knex = this.database(tenant);
        const { rows, next } = await statement(() =>
          tenant === "*" ? everyonesPage(knex, filter, after, limit) : pageByKinds(knex, tenant, filter, after, limit),
        );
        return { items: rows.map(shownLetter), next: next && writeCursor(next) };
      },
    },
    /** `{ total, oldest, items: [{ stage, error, count }] }` of the open ones; `oldest` is a letter, where any is counted. */
    counts: {
      cache: false,
      params: { tenant, ...strict },
      async handler(ctx: Context<{ tenant: string }>) {
        const { tenant } = ctx.params;
        const knex = this.database(tenant);
        const [items, oldest] = await Promise.all([
          statement(() => countsOf(knex, one(tenant))),
          statement(() => oldestLetter(knex, one(tenant))),
        ]);
        const total = items.reduce((sum, { count }) => sum + count, 0);
        // The last one may have been closed, or the first one filed, between the two looks.
        return { total, ...(oldest && total > 0 ? { oldest: shownLetter(oldest) } : {}), items };
      },
    },
    /** A letter with its lead, its error and the other deaths of the lead. */
    get: {
      cache: false,
      params: { tenant, id: letter, ...strict },
      async handler(ctx: Context<{ tenant: string; id: string }>) {
        const { nats, names } = resourcesOf(this.broker);
        const { tenant, id } = ctx.params;
        const key = readLetterId(id);
        const knex = this.database(tenant);
        const row = key && (await statement(() => letterRow(knex, one(tenant), key)));
        if (!row) throw new LeadsError("NOT_FOUND", `there is no dead letter ${id}`);
        const [message, others] = await Promise.all([
          messageOf({ nc: await nats(), names }, row),
          row.leadId === null ? [] : statement(() => lettersOfLead(knex, row.tenant, row.leadId!)),
        ]);
        const history = others.filter((other) => letterId(other) !== id).map(shownLetter);
        return { ...shownLetter(row), ...(message ? contentOf(message.data) : {}), history };
      },
    },
    /** The dead letters of a lead, the dealt with too, oldest first. */
    ofLead: {
      cache: false,
      params: { tenant, leadId: "uuid", ...strict },
      async handler(ctx: Context<{ tenant: string; leadId: string }>) {
        const { tenant, leadId } = ctx.params;
        const rows: LetterRow[] = await statement(() =>
          lettersOfLead(this.database(tenant), tenant, leadId.toLowerCase()),
        );
        return rows.map(shownLetter);
      },
    },
    /** Puts letters back into their mailboxes, each once: a job, or with `dryRun` what it would do. */
    redrive: {
      params: { ...asked, patch: { type: "object", optional: true } },
      async handler(ctx: Context<Redrive>) {
        const { patch } = ctx.params;
        const faults = patch ? patchFaults(patch) : [];
        if (patch && Object.keys(patch).length === 0) faults.push({ field: "patch", message: "changes nothing" });
        if (faults.length > 0) throw new LeadsError("VALIDATION", "the patch is wrong", { faults });
        const job = await this.planned(ctx.params, "redrive", { patch: patch ?? null, reason: null });
        return ctx.params.dryRun ? dryRun(resourcesOf(this.broker), job, this.rules()) : this.begin(job);
      },
    },
    /** Puts letters away for good; their leads end as discarded. */
    discard: {
      params: { ...asked, reason: { type: "string", min: 1, max: 200 } },
      async handler(ctx: Context<Discard>) {
        const { reason, dryRun } = ctx.params;
        const job = await this.planned(ctx.params, "discard", { patch: null, reason });
        return dryRun ? { dryRun: true, matched: job.matched } : this.begin(job);
      },
    },
    jobs: {
      cache: false,
      params: { tenant, limit, ...strict },
      async handler(ctx: Context<{ tenant: string; limit: number }>) {
        const { tenant, limit } = ctx.params;
        return { items: (await listJobs(this.database(tenant), one(tenant), limit)).map(shownJob) };
      },
    },
    job: {
      cache: false,
      params: { tenant, id: "uuid", ...strict },
      async handler(ctx: Context<{ tenant: string; id: string }>) {
        const { tenant, id } = ctx.params;
        return shownJob(known(await findJob(this.database(tenant), id, one(tenant))));
      },
    },
    /** Stops a job: what it has in hand is finished. */
    cancel: {
      params: { tenant, id: "uuid", by, ...strict },
      async handler(ctx: Context<{ tenant: string; id: string; by: string }>) {
        const { nats, names } = resourcesOf(this.broker);
        const { tenant, id, by } = ctx.params;
        const knex = this.database(tenant);
        known(await findJob(knex, id, one(tenant)));
        const operation = { tenant: one(tenant) ?? "", by, what: "dead-letters.cancel", target: id };
        const job = await operated(await nats(), names, operation, () => cancelJob(knex, id, one(tenant)));
        return shownJob(known(job));
      },
    },
  },
  async started() {
    const { nats, names, databases, settings } = resourcesOf(this.broker);
    const { now: _now, ...rules } = this.rules();
    this.worker = new JobWorker({
      nc: await nats(),
      names,
      databases,
      rules,
      days: { letters: settings.letterDays, operations: settings.operationDays },
      logger: this.logger,
      onProgress: (job, settled) => {
        const counts = Map.groupBy(settled, ({ tenant, to }) => `${tenant} ${to}`);
        this.broker.broadcast("dead-letters.settled", {
          job: shownJob(job),
          counts: [...counts.values()].map(([first, ...rest]) => ({
            tenant: first!.tenant,
            to: first!.to,
            count: rest.length + 1,
          })),
        });
      },
    });
    this.worker.start();
  },
  async stopped() {
    await this.worker?.stop();
  },
});

/** The one tenant that is meant; undefined: all. */
function one(tenant: string): string | undefined {
  return tenant === "*" ? undefined : tenant;
}

function known(job: Job | undefined): Job {
  if (!job) throw new LeadsError("NOT_FOUND", "there is no such job");
  return job;
}

/** Throws `VALIDATION` where neither ids nor a filter is given, or both, or where something is null. */
function filterOf({ ids, filter, limit, rate }: Asked): LetterFilter {
  // JSON makes null of a number that is none; a limit that was meant is not to be taken for one that was not given.
  const nulls = Object.entries({ ...filter, limit, rate }).flatMap(([field, value]) => (value === null ? [field] : []));
  if (nulls.length > 0) {
    const faults = nulls.map((field) => ({ field, message: "is null" }));
    throw new LeadsError("VALIDATION", `${nulls.join(", ")} must not be null`, { faults });
  }
  if ((ids === undefined) === (filter === undefined)) {
    const message = "give ids, or a filter ({} means all)";
    throw new LeadsError("VALIDATION", message, { faults: [{ field: "filter", message }] });
  }
  return ids ? { ids: [...new Set(ids)].map((id) => readLetterId(id) as LetterKey) } : filter!;
}
