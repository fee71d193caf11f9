import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";
import type { ServiceBroker } from "moleculer";
import type { NatsConnection } from "nats";
import type { Names } from "../../config/names.ts";
import { fits } from "../../mixins/actor/envelope.ts";
import { type Databases, statement } from "../../mixins/knex.ts";
import { Sweeper } from "../../mixins/sweeper.ts";
import { type DeadLead, discardLeads, noteRedriven, sweepLetters } from "../leads/dead-letters.sql.ts";
import { sweepOperations } from "../leads/operations.sql.ts";
import { rowOfDead } from "../leads/row.ts";
import { claimLetters, endJob, type Job, keepJob, leaseJob, type Settled, settleLetters } from "./jobs.sql.ts";
import { letterId } from "./letter-id.ts";
import type { LetterRow } from "./letters.sql.ts";
import { leadKey, readOnRecord } from "./on-record.sql.ts";
import { type Letter, type OnRecord, type Plan, parseLetter, planRedrive, type Rules } from "./plan.ts";
import { putBack, wasPutBack } from "./put-back.ts";
import { sweepJobs } from "./sweep.sql.ts";
import { deleteLetter, messageOf, purgeMarkers, sweepMarkers, sweepMerged } from "./sweep.ts";

export interface WorkerOptions {
  nc: NatsConnection;
  names: Names;
  databases: Databases;
  rules: Omit<Rules, "now">;
  /** How long closed letters and the jobs that are over are kept, and lines of the log of operations. */
  days: { letters: number; operations: number };
  logger: ServiceBroker["logger"];
  /** Told of every few letters that were dealt with, and of a job's end. */
  onProgress(job: Job, settled: readonly Settled[]): void;
}

/** Letters in hand at once: they are put back in one atomic publish a stage. */
const batchLetters = 50;
/** Letters are put away one request each. */
const discardLetters = 200;
const leaseMs = 15_000;
const lookMs = 1_000;
/** Jobs at once in one process: a slow one holds up no other. */
const jobsAtOnce = 4;
/** What is too old is looked for this often. */
const sweepMs = 3_600_000;
/** How long markers outlive what they prove: a holder that was frozen may still try to put its letters back. */
const markersRestMs = 60_000;

/** Works off jobs, together with every other instance: one holder a job. */
export class JobWorker {
  readonly #o: WorkerOptions;
  readonly #holder = randomUUID();
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #sweeper: Sweeper;
  #wake = Promise.withResolvers<void>();
  #loop: Promise<void> | undefined;

  constructor(options: WorkerOptions) {
    this.#o = options;
    const { databases, logger, days } = options;
    this.#sweeper = new Sweeper({
      databases,
      everyMs: sweepMs,
      sweeps: [
        (knex, limit) => statement(() => sweepLetters(knex, days.letters, limit)),
        (knex, limit) => statement(() => sweepJobs(knex, days.letters, limit)),
        (knex, limit) => statement(() => sweepOperations(knex, days.operations, limit)),
      ],
      onFault: (error) => logger.warn(`old dead letters and operations stay: ${error.message}`),
    });
  }

  start(): void {
    this.#loop ??= this.#run();
    this.#sweeper.start();
  }

  /** Looks for work now. */
  kick(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** Finishes the letters in hand; the jobs go on elsewhere. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.kick();
    await this.#loop;
    await Promise.all([...this.#running, this.#sweeper.stop()]);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const woken = this.#wake.promise;
      try {
        for (const { knex } of this.#o.databases.all()) {
          await this.#take(knex);
          await sweepMerged(this.#o, knex);
          await sweepMarkers(this.#o, knex, this.#o.rules.stages, markersRestMs);
        }
      } catch (error) {
        this.#o.logger.warn(`jobs of dead letters wait: ${(error as Error).message}`);
      }
      await Promise.race([woken, delay(lookMs, undefined, { signal }).catch(() => {})]);
    }
  }

  async #take(knex: Knex): Promise<void> {
    while (this.#running.size < jobsAtOnce && !this.#stop.signal.aborted) {
      const job = await leaseJob(knex, this.#holder, leaseMs);
      if (!job) return;
      const run: Promise<void> = this.#work(knex, job)
        // Somebody takes it up when the lease has run out, this process perhaps.
        .catch((error: Error) => this.#o.logger.warn(`job ${job.id} waits: ${error.message}`))
        .finally(() => {
          this.#running.delete(run);
          this.kick();
        });
      this.#running.add(run);
    }
  }

  async #work(knex: Knex, job: Job): Promise<void> {
    const { signal } = this.#stop;
    const kept = { at: performance.now(), lost: false };
    const beat = setInterval(() => void this.#keep(knex, job, kept).catch(() => {}), leaseMs / 3);
    const markers: { stage: string; claim: number; until: number }[] = [];
    try {
      while (!signal.aborted && !kept.lost) {
        const startedAt = performance.now();
        const claim = await claimLetters(knex, job, this.#holder, sizeOf(job));
        if (claim.kind === "lost") return;
        if (claim.kind === "end") {
          const ended = await endJob(knex, job.id, this.#holder);
          if (ended) this.#o.onProgress(ended, []);
          return;
        }
        if (claim.letters.length > 0) await this.#settle(knex, job, claim.letters, kept, markers);
        await this.#dropMarkers(job, markers);
        const dueMs = job.rate === null ? 0 : (claim.letters.length / job.rate) * 1_000;
        await delay(Math.max(0, startedAt + dueMs - performance.now()), undefined, { signal }).catch(() => {});
      }
      await keepJob(knex, job.id, this.#holder, 0);
    } finally {
      clearInterval(beat);
    }
  }

  async #keep(knex: Knex, job: Job, kept: { at: number; lost: boolean }): Promise<void> {
    const askedAt = performance.now();
    if (await keepJob(knex, job.id, this.#holder, leaseMs)) kept.at = askedAt;
    else kept.lost = true;
  }

  async #settle(
    knex: Knex,
    job: Job,
    rows: LetterRow[],
    kept: { at: number; lost: boolean },
    markers: { stage: string; claim: number; until: number }[],
  ): Promise<void> {
    const letters = await Promise.all(rows.map((row) => this.#read(row)));
    const settled =
      job.kind === "discard"
        ? await this.#discard(knex, job, rows, letters)
        : await this.#redrive(knex, job, rows, letters, kept, markers);
    await Promise.all(
      settled.filter(({ to }) => to !== "dead" && to !== "gone").map((row) => deleteLetter(this.#o, row)),
    );
    await settleLetters(knex, job, settled);
    this.#o.onProgress(job, settled);
  }

  /** null: the stream does not hold it; an unreadable one is there without a lead. */
  async #read(row: LetterRow): Promise<Letter | null> {
    const message = await messageOf(this.#o, row);
    return message && parseLetter(message.data);
  }

  async #discard(knex: Knex, job: Job, rows: LetterRow[], letters: (Letter | null)[]): Promise<Settled[]> {
    const leads = rows.flatMap(({ kind }, n) => (kind === "lead" ? leadOf(letters[n]!) : []));
    await discardLeads(knex, leads, job.reason ?? "");
    const onRecord = await readOnRecord(knex, rows);
    return rows.map((row, n) => {
      // A holder that died may have let go of the letter, after it ended the lead.
      const isAway = onRecord.get(leadKey(row))?.state === "discarded";
      return { ...row, to: letters[n] || isAway ? "discarded" : "gone" };
    });
  }

  async #redrive(
    knex: Knex,
    job: Job,
    rows: LetterRow[],
    letters: (Letter | null)[],
    kept: { at: number; lost: boolean },
    markers: { stage: string; claim: number; until: number }[],
  ): Promise<Settled[]> {
    const { nc, names } = this.#o;
    const onRecord = await readOnRecord(knex, rows);
    const rules = { ...this.#o.rules, now: Date.now() };
    const planOf = (letter: Letter | null, known: OnRecord | undefined): Plan | null => {
      if (!letter) return null;
      const plan = planRedrive(letter, known, job.patch, rules);
      return plan.kind === "go" && !fits(JSON.stringify({ lead: plan.lead }))
        ? { kind: "stay", why: "too_large" }
        : plan;
    };
    const plans = rows.map((row, n) => planOf(letters[n]!, onRecord.get(leadKey(row))));
    const meant = rows.flatMap(({ kind }, n) =>
      plans[n]?.kind === "go" && kind === "lead" ? leadOf(letters[n]!) : [],
    );
    // One may have become another's double since its state was read.
    const lost = new Set((await noteRedriven(knex, meant)).map(leadKey));
    for (const [n, row] of rows.entries())
      if (lost.has(leadKey(row)))
        plans[n] = planOf(letters[n]!, { revision: 0, ...onRecord.get(leadKey(row)), state: "merged" });
    const going = rows.flatMap((row, n) => {
      const plan = plans[n];
      return plan?.kind === "go" ? [{ row, letter: letters[n]!, plan }] : [];
    });
    for (const [stage, group] of Map.groupBy(going, ({ plan }) => plan.stage)) {
      await putBack({
        nc,
        names,
        stage,
        jobId: job.id,
        letters: group.map(({ row, letter, plan }) => ({
          id: letterId(row),
          claim: row.claim!,
          letter,
          lead: plan.lead,
        })),
        // Another may hold the job by now: it would put the same letters back, under the same markers.
        mayPublish: () => !kept.lost && performance.now() - kept.at < leaseMs,
        signal: this.#stop.signal,
      });
      for (const claim of new Set(group.map(({ row }) => row.claim!)))
        markers.push({ stage, claim, until: performance.now() + markersRestMs });
    }
    return Promise.all(
      rows.map(async (row, n): Promise<Settled> => {
        const plan = plans[n];
        if (plan?.kind === "go") return { ...row, to: "redriven" };
        if (plan?.kind === "merged") return { ...row, to: "merged" };
        // A holder that died may have let go of the letter, or the later telling may be what it put back, mended.
        if (!plan || plan.why === "told_again") {
          const letter = { id: letterId(row), claim: row.claim! };
          const stages = [row.stage, this.#o.rules.first];
          if (await wasPutBack({ nc, names, jobId: job.id }, stages, letter)) return { ...row, to: "redriven" };
        }
        return plan ? { ...row, to: "dead", why: plan.why } : { ...row, to: "gone" };
      }),
    );
  }

  /** A long job's markers would pile up in the mailbox. */
  async #dropMarkers(job: Job, markers: { stage: string; claim: number; until: number }[]): Promise<void> {
    while (markers[0] && markers[0].until < performance.now()) {
      const { stage, claim } = markers.shift()!;
      await purgeMarkers(this.#o, stage, this.#o.names.mailbox(stage).redrivenBy(job.id, claim));
    }
  }
}

/** A second's letters at the most, of a job that has a rate. */
function sizeOf({ kind, rate }: Job): number {
  const most = kind === "discard" ? discardLetters : batchLetters;
  return rate === null ? most : Math.max(1, Math.min(most, rate));
}

/** As the record reads it, however misshapen it is. */
function leadOf(letter: Letter | null): DeadLead[] {
  const row = letter && rowOfDead(letter.lead, letter.stage, "");
  return row ? [{ tenant: row.tenant, leadId: row.lead_id, revision: row.revision }] : [];
}
