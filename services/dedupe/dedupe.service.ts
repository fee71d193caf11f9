import { forward, merge, type Outcome, reject, type Work } from "../../mixins/actor/outcome.ts";
import { actor } from "../../mixins/actor.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import type { Lead } from "../leads/lead.ts";
import { recordEnds } from "../leads/record.ts";
import { type Settlement, settleBatch } from "./settle.sql.ts";

const stage = "dedupe";

/** Brings leads on record and ends doubles as merged: see docs/dedupe.md. */
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
  ],
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
