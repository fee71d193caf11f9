import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Context } from "moleculer";
import { tenantPattern } from "../../config/names.ts";
import { isOutage } from "../../mixins/actor/outage.ts";
import { Publisher } from "../../mixins/actor/publisher.ts";
import { tellErased, untellErased } from "../../mixins/erased.ts";
import { LeadsError, outage } from "../../mixins/errors.ts";
import { ensureShared } from "../../mixins/jetstream.ts";
import { statement, transaction } from "../../mixins/knex.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { readCursor, writeCursor } from "../../mixins/time-cursor.ts";
import { begin } from "../leads/erase.sql.ts";
import {
  type Counts,
  type Erasure,
  hold,
  Lifted,
  notePass,
  readErasures,
  takeDue,
  takeUp,
} from "../leads/erasures.sql.ts";
import { lift, marksOf } from "../leads/tombstones.sql.ts";
import { erasers, type Hands } from "./erasers.ts";
import { isQueued } from "./streams.ts";

interface Vars {
  publisher: Publisher | undefined;
  stopping: AbortController;
  watching: Promise<void> | undefined;
}

/** How long who asked waits for the first pass; a deep backlog takes longer to look through. */
const patienceMs = 20_000;
/** Erasures that one instance takes into hand at once. */
const atOnce = 10;

const tenant = { type: "string", pattern: tenantPattern } as const;
const id = { type: "uuid" } as const;
interface OneParams {
  tenant: string;
  id: string;
}
interface ListParams {
  tenant: string;
  limit: number;
  cursor?: string;
}

/** A person's rights: erases what is known of one, and keeps the person from coming back. docs/privacy.md */
export default defineService({
  name: "rights",
  mixins: [defineMixin<Vars>()({})] as const,
  methods: {
    async hands(): Promise<Hands> {
      const resources = resourcesOf(this.broker);
      const { names, flow } = resources;
      const nc = await resources.nats();
      this.publisher ??= new Publisher(nc);
      const stages = flow.map(({ name }) => name);
      return { broker: this.broker, resources, nc, names, publisher: this.publisher, stages };
    },

    /**
     * Looks everywhere once. The last pass is one that began `LEADS_ERASE_AGAIN_MS` after another, before which all were
     * told, and found no copy on its way: what a stage published before it had heard is found by then. Throws `Lifted` for an
     * erasure that others have finished and somebody has lifted meanwhile.
     */
    async pass(erasure: Erasure): Promise<Erasure> {
      const hands: Hands = await this.hands();
      const { resources, nc, names } = hands;
      const knex = resources.databases.of(erasure.tenant);
      const { eraseAgainMs } = resources.settings;
      const did: Counts = {};
      const tell = async () => {
        const marks = await statement(() => marksOf(knex, erasure.tenant, erasure.erasureId));
        await tellErased(nc, names, erasure.tenant, marks);
      };
      await tell();
      let copies = 0;
      for (const [name, erase] of Object.entries(erasers)) {
        await statement(() => hold(knex, erasure));
        const counts = await erase(erasure, hands);
        for (const [place, n] of Object.entries(counts)) if (n > 0) did[place] = (did[place] ?? 0) + n;
        if (name === "streams") copies = Object.values(counts).reduce((sum, n) => sum + n, 0);
      }
      // Copies may have told of more contacts.
      if (copies > 0) await tell();
      const isLast = erasure.passes > 0 && copies === 0;
      const noted = await statement(() => notePass(knex, erasure, { did, isLast, nextInMs: eraseAgainMs }));
      this.logger.info(isLast ? "an erasure is finished" : "an erasure has passed everywhere", {
        tenant: erasure.tenant,
        erasureId: erasure.erasureId,
        leads: erasure.leadIds.length,
        did,
      });
      return noted;
    },

    /** A pass whose fault, whatever part of NATS it comes from, is an outage where it is one; it ends where it was lifted. */
    async tryPass(erasure: Erasure): Promise<Erasure> {
      try {
        return await this.pass(erasure);
      } catch (error) {
        if (error instanceof Lifted) {
          this.logger.info("an erasure was lifted while it was looked for what is left", {
            tenant: erasure.tenant,
            erasureId: erasure.erasureId,
          });
          return erasure;
        }
        throw (error as Error).name === "NatsError" ? outage("nats", error) : error;
      }
    },

    /**
     * Takes up what is due: the later passes, and what somebody died over. A pass that takes longer than the time to the
     * next one is made twice at once, which is harmless.
     */
    async watch(): Promise<void> {
      const { databases, settings } = resourcesOf(this.broker);
      const { signal } = this.stopping;
      const restMs = Math.min(10_000, settings.eraseAgainMs / 4);
      const told = new Set<string>();
      while (!signal.aborted) {
        const failed: Error[] = [];
        const fail = (error: Error) => void failed.push(error);
        for (const { knex } of databases.all()) {
          const due: Erasure[] =
            (await statement(() => takeDue(knex, atOnce, settings.eraseAgainMs)).catch(fail)) ?? [];
          // One that cannot be finished holds up none of the others that were taken with it.
          for (const erasure of due) {
            if (signal.aborted) return;
            await this.tryPass(erasure).catch(fail);
          }
        }
        // Told once, not with every look.
        for (const error of failed)
          if (!told.has(error.message))
            this.logger[isOutage(error) ? "warn" : "error"]("erasures wait", { error: error.message });
        told.clear();
        for (const { message } of failed) told.add(message);
        await delay(restMs, undefined, { signal }).catch(() => {});
      }
    },
  },

  actions: {
    /**
     * Erases the person of a lead: this one and all that were merged with it. Asked again it says how far that is, and makes
     * a pass of its own only where whoever had it in hand is late. Throws `NOT_FOUND` for a lead that nobody has heard of,
     * `OUTAGE` with nothing claimed when PostgreSQL or NATS is away: what was begun then is gone on with by itself.
     */
    erase: {
      params: { tenant, id, $$strict: true },
      timeout: patienceMs + 20_000,
      async handler(ctx: Context<OneParams>) {
        const { tenant, id: leadId } = ctx.params;
        const { databases, settings } = resourcesOf(this.broker);
        const knex = databases.of(tenant);
        const hands: Hands = await this.hands();
        const ask = { tenant, leadId: leadId.toLowerCase(), erasureId: randomUUID(), leaseMs: settings.eraseAgainMs };
        const beginIf = (known: boolean) => transaction(knex, (trx) => begin(trx, { ...ask, known }));
        // What the record has booked since it was asked is not queued any more: it is asked once more in any case.
        const erasure = (await beginIf(false)) ?? (await beginIf(await isQueued(hands, tenant, ask.leadId)));
        if (!erasure) throw new LeadsError("NOT_FOUND", "there is no such lead");
        if (erasure.passes > 0) return shown(erasure);
        const isMine = erasure.erasureId === ask.erasureId;
        const taken = isMine ? erasure : await statement(() => takeUp(knex, erasure, settings.eraseAgainMs));
        if (!taken) return shown(erasure);
        const first: Promise<Erasure> = this.tryPass(taken);
        // When nobody waits for it any more, its fault is the next pass's.
        first.catch(() => {});
        const late = delay(patienceMs, null, { ref: false });
        return shown((await Promise.race([first, late])) ?? erasure);
      },
    },

    /** `{ items, next }`: the erasures whose tombstones stand, the newest first. */
    list: {
      params: {
        tenant,
        limit: { type: "number", integer: true, min: 1, max: 200, default: 50, convert: true },
        cursor: { type: "string", max: 200, optional: true },
        $$strict: true,
      },
      async handler(ctx: Context<ListParams>) {
        const { tenant, limit, cursor } = ctx.params;
        const key = cursor === undefined ? undefined : readCursor(cursor);
        if (cursor !== undefined && key === undefined)
          throw new LeadsError("VALIDATION", "the cursor is none of ours", {
            faults: [{ field: "cursor", message: "take it from `next` of the page before" }],
          });
        const knex = resourcesOf(this.broker).databases.of(tenant);
        const rows = await statement(() => readErasures(knex, { tenant, limit: limit + 1, ...(key && { key }) }));
        const page = rows.slice(0, limit);
        return {
          items: page.map(({ erasure }) => shown(erasure)),
          next: rows.length > limit ? writeCursor(page.at(-1)!.key) : null,
        };
      },
    },

    /**
     * Takes the tombstones of an erasure down: the person may be told anew. What was erased stays so. Throws `NOT_FOUND`,
     * and `CONFLICT` for an erasure that is not finished.
     */
    lift: {
      params: { tenant, id, $$strict: true },
      async handler(ctx: Context<OneParams>) {
        const { tenant, id } = ctx.params;
        const { databases, names, nats } = resourcesOf(this.broker);
        const nc = await nats();
        return transaction(databases.of(tenant), async (trx) => {
          const lifted = await lift(trx, tenant, id);
          if (lifted === null) throw new LeadsError("NOT_FOUND", "there is no such tombstone");
          if (lifted === "unfinished") throw new LeadsError("CONFLICT", "the erasure is not finished yet");
          // Before the commit: what a crash leaves is a tombstone that stands and can be lifted again.
          await untellErased(nc, names, tenant, lifted);
          return { id, lifted: lifted.length };
        });
      },
    },
  },
  created() {
    this.stopping = new AbortController();
  },
  async started() {
    const { nats, names, settings } = resourcesOf(this.broker);
    await ensureShared(await nats(), names, settings);
    this.watching = this.watch();
  },
  async stopped() {
    this.stopping.abort();
    await this.watching;
    this.publisher?.close();
  },
});

function shown({ erasureId, leadIds, askedAt, finishedAt, did }: Erasure): object {
  return {
    id: erasureId,
    leads: leadIds,
    state: finishedAt === null ? "sweeping" : "done",
    askedAt,
    ...(finishedAt === null ? {} : { finishedAt }),
    did,
  };
}
