import type { Context } from "moleculer";
import { forward, merge, type Outcome, reject, type Work } from "../../mixins/actor/outcome.ts";
import { actor } from "../../mixins/actor.ts";
import { LeadsError } from "../../mixins/errors.ts";
import { statement, transaction } from "../../mixins/knex.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import type { Lead } from "../leads/lead.ts";
import { recordEnds } from "../leads/record.ts";
import { readCursor, writeCursor } from "./cursor.ts";
import { type Decision, judge } from "./judge.sql.ts";
import { Resumer } from "./resumer.ts";
import { type ReviewState, readReviews } from "./reviews.sql.ts";
import { type Settlement, settleBatch } from "./settle.sql.ts";
import { unmerge } from "./unmerge.sql.ts";

const stage = "dedupe";
/** How often leads are looked for that an unmerge has set free and whose publishing was cut off. */
const resumeEveryMs = 5_000;

interface Vars {
  resumer: Resumer;
}
interface ReviewParams {
  tenant: string;
  state: ReviewState;
  limit: number;
  cursor?: string;
}
interface LeadParams {
  tenant: string;
  id: string;
}

/** Brings leads on record and ends doubles as merged, asks people and does as they say: see docs/dedupe.md. */
export default defineService({
  name: stage,
  mixins: [
    actor<Lead>({
      stage,
      async handle(batch) {
        const settled = new Map<string, Settlement>();
        const databases = resourcesOf(this.broker).databases.group(batch, ({ lead }) => lead.tenant);
        for (const { knex, things } of databases) {
          const leads = things.map(({ lead }) => lead);
          const of = await settleBatch(knex, stage, leads);
          for (const [leadId, settlement] of of) settled.set(leadId, settlement);
        }
        return batch.map((work) => outcomeOf(work, settled.get(work.lead.leadId)!));
      },
      checkpoint: recordEnds,
    }),
    defineMixin<Vars>()({}),
  ] as const,

  actions: {
    /** A tenant's reviews in one state, the newest first: `{ items, next }`; `next` is null after the last page. */
    reviews: {
      params: {
        tenant: "string",
        state: { type: "enum", values: ["open", "merged", "apart"], default: "open" },
        limit: { type: "number", integer: true, min: 1, max: 200, default: 50, convert: true },
        cursor: { type: "string", max: 200, optional: true },
        $$strict: true,
      },
      async handler({ params: { tenant, state, limit, cursor } }: Context<ReviewParams>) {
        const key = cursor === undefined ? undefined : readCursor(cursor);
        if (cursor !== undefined && key === undefined)
          throw new LeadsError("VALIDATION", "the cursor is none of ours", {
            faults: [{ field: "cursor", message: "take it from `next` of the page before" }],
          });
        const knex = resourcesOf(this.broker).databases.of(tenant);
        // One more than asked for tells whether there is a next page.
        const rows = await statement(() => readReviews(knex, { tenant, state, limit: limit + 1, ...(key && { key }) }));
        const shown = rows.slice(0, limit);
        return {
          items: shown.map(({ at: _, decidedAt, ...item }) => (decidedAt === null ? item : { ...item, decidedAt })),
          next: rows.length > limit ? writeCursor(shown.at(-1)!) : null,
        };
      },
    },

    /**
     * An operator's answer to a review, remembered for ever: `{ id, state, winner? }`. The same answer again is answered
     * alike. `NOT_FOUND`; `CONFLICT` where somebody has answered otherwise, or it cannot be done any more.
     */
    decide: {
      params: {
        tenant: "string",
        id: "uuid",
        decision: { type: "enum", values: ["merge", "keep_apart"] },
        $$strict: true,
      },
      async handler({ params: { tenant, id, decision } }: Context<LeadParams & { decision: Decision }>) {
        const knex = resourcesOf(this.broker).databases.of(tenant);
        const judged = await transaction(knex, (trx) => judge(trx, { tenant, reviewId: id, decision }));
        switch (judged.kind) {
          case "none":
            throw new LeadsError("NOT_FOUND", "there is no such review");
          case "otherwise":
            throw new LeadsError("CONFLICT", `it was decided before: ${judged.state}`);
          case "impossible":
            throw new LeadsError("CONFLICT", judged.why);
          case "done":
            return judged.winner === null ? { id, state: "apart" } : { id, state: "merged", winner: judged.winner };
        }
      },
    },

    /**
     * Undoes the merge by which a lead was lost: `{ id, status, from }`. A repeat changes nothing, and is answered alike.
     * `NOT_FOUND`; `CONFLICT` where the lead was never merged.
     */
    unmerge: {
      params: { tenant: "string", id: "uuid", $$strict: true },
      async handler({ params: { tenant, id } }: Context<LeadParams>) {
        const knex = resourcesOf(this.broker).databases.of(tenant);
        const undone = await transaction(knex, (trx) => unmerge(trx, { tenant, leadId: id, now: Date.now() }));
        if (undone.kind === "none") throw new LeadsError("NOT_FOUND", "there is no such lead");
        if (undone.kind === "never_merged") throw new LeadsError("CONFLICT", "the lead was not merged into another");
        // It is undone, whatever happens now: who died here, or finds NATS down, has left it to the next look.
        await this.resumer
          .resume({ tenant, leadId: id })
          .catch((error: Error) => this.logger.warn("an unmerged lead goes on later", { leadId: id, error }));
        return { id, status: undone.state, from: undone.from };
      },
    },
  },

  created() {
    this.resumer = new Resumer(resourcesOf(this.broker), (error) =>
      this.logger.warn(`unmerged leads go on later: ${error.message}`),
    );
  },
  started() {
    this.resumer.start(resumeEveryMs);
  },
  async stopped() {
    await this.resumer.stop();
  },
});

function outcomeOf({ lead }: Work<Lead>, settlement: Settlement): Outcome<Lead> {
  switch (settlement.kind) {
    case "live":
      return forward({ ...lead, fields: settlement.fields });
    case "merged":
      return merge(lead, settlement.into);
    case "ended":
      return reject(lead, settlement.state);
  }
}
