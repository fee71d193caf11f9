import type { Context } from "moleculer";
import { complete, type Outcome, type Work } from "../../mixins/actor/outcome.ts";
import { actor } from "../../mixins/actor.ts";
import { LeadsError } from "../../mixins/errors.ts";
import { statement } from "../../mixins/knex.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import { readCursor, writeCursor } from "../../mixins/time-cursor.ts";
import type { Lead } from "../leads/lead.ts";
import { recordEnds } from "../leads/record.ts";
import { type MailState, mailsOf, readOutbox, type Written, writeMails } from "./email.sql.ts";
import { settleUnknown } from "./fates.sql.ts";
import { mailOf } from "./mail-of.ts";
import { addressHash, recipientOf } from "./recipient.ts";

/** What became of a wanted e-mail, as the reason the lead is completed with. */
const reasons = {
  written: "outbox",
  taken: "already_written_to",
  suppressed: "suppressed",
  merged: "merged",
} as const satisfies Record<Written, string>;

interface OutboxParams {
  tenant: string;
  limit: number;
  cursor?: string;
  state?: string;
}
interface SettleParams {
  tenant: string;
  id: string;
  as: "sent" | "not_sent";
  campaign?: string;
}

/**
 * Writes the one e-mail of a campaign to a lead into the outbox. A lead ends here: below the threshold nobody would be
 * written to, whatever the address, so that is said first; then that there is no address; then what the claim found.
 */
export default defineService({
  name: "email",
  mixins: [
    actor<Lead>({
      stage: "email",
      async handle(batch) {
        const resources = resourcesOf(this.broker);
        const outcomes = new Map<Work<Lead>, Outcome<Lead>>();
        const wanted: { work: Work<Lead>; to: string }[] = [];
        for (const work of batch) {
          const to = recipientOf(work.lead);
          if ((work.lead.score?.value ?? 0) < resources.settings.emailThreshold)
            outcomes.set(work, complete(work.lead, "below_threshold"));
          else if (to === undefined) outcomes.set(work, complete(work.lead, "no_email"));
          else wanted.push({ work, to });
        }
        for (const { knex, things } of resources.databases.group(wanted, ({ work }) => work.lead.tenant)) {
          const addressed = things.map(({ work: { lead }, to }) => ({
            tenant: lead.tenant,
            leadId: lead.leadId,
            address: addressHash(to),
          }));
          const written = await writeMails(knex, resources.settings.campaign, addressed, (index) =>
            mailOf(resources.settings, things[index]!.work.lead, things[index]!.to, Date.now()),
          );
          for (const [index, { work }] of things.entries())
            outcomes.set(work, complete(work.lead, reasons[written[index]!]));
        }
        return batch.map((work) => outcomes.get(work)!);
      },
      checkpoint: recordEnds,
    }),
  ],

  actions: {
    /** A tenant's outbox, the newest first: `{ items: OutboxItem[], next }`; `next` is the next page's cursor, null at the end. */
    outbox: {
      params: {
        tenant: "string",
        limit: { type: "number", integer: true, min: 1, max: 200, default: 50, convert: true },
        cursor: { type: "string", max: 200, optional: true },
        state: { type: "string", max: 32, optional: true },
      },
      async handler({ params: { tenant, limit, cursor, state } }: Context<OutboxParams>) {
        const key = cursor === undefined ? undefined : readCursor(cursor);
        if (cursor !== undefined && key === undefined)
          throw new LeadsError("VALIDATION", "the cursor is none of ours", {
            faults: [{ field: "cursor", message: "take it from `next` of the page before" }],
          });
        const knex = resourcesOf(this.broker).databases.of(tenant);
        // One more than asked for tells whether there is a next page.
        const rows = await statement(() =>
          readOutbox(knex, { tenant, limit: limit + 1, ...(state && { state }), ...(key && { key }) }),
        );
        const shown = rows.slice(0, limit);
        return {
          items: shown.map(({ item }) => item),
          next: rows.length > limit ? writeCursor(shown.at(-1)!.key) : null,
        };
      },
    },

    /** How a lead's e-mails stand, the newest first, without what they say. */
    ofLead: {
      cache: false,
      params: { tenant: "string", id: "uuid", $$strict: true },
      handler({ params: { tenant, id } }: Context<{ tenant: string; id: string }>): Promise<MailState[]> {
        const knex = resourcesOf(this.broker).databases.of(tenant);
        return statement(() => mailsOf(knex, { tenant, leadId: id }));
      },
    },

    /**
     * Settles an e-mail whose fate is unknown, as an operator found out: `sent`, or `not_sent` and then it is sent. A
     * repeat changes nothing. `NOT_FOUND` where the lead has no e-mail, `CONFLICT` where its fate is not unknown.
     */
    settle: {
      params: {
        tenant: "string",
        id: "uuid",
        as: { type: "enum", values: ["sent", "not_sent"] },
        campaign: { type: "string", max: 32, optional: true },
        $$strict: true,
      },
      async handler({ params: { tenant, id, as, campaign } }: Context<SettleParams>) {
        const knex = resourcesOf(this.broker).databases.of(tenant);
        const settled = await settleUnknown(knex, { tenant, leadId: id, ...(campaign && { campaign }) }, as);
        if (settled === "none") throw new LeadsError("NOT_FOUND", "there is no such e-mail");
        if (settled === "otherwise")
          throw new LeadsError(
            "CONFLICT",
            "only an e-mail whose fate is unknown is settled; of several, name the campaign",
          );
        return { leadId: id, settled: as };
      },
    },
  },
});
