import type { Service } from "moleculer";
import { isOutage } from "../../mixins/actor/outage.ts";
import { forward, type Outcome, retry, type Work } from "../../mixins/actor/outcome.ts";
import { actor } from "../../mixins/actor.ts";
import { outage } from "../../mixins/errors.ts";
import { statement } from "../../mixins/knex.ts";
import { outcomeOf } from "../../mixins/provider.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import { onBehalfOf } from "../../mixins/trace/scope.ts";
import type { Lead, SiteFacts } from "../leads/lead.ts";
import { recordEnds } from "../leads/record.ts";
import { tierOf } from "../leads/tiers.ts";
import { unwelcome } from "../leads/tombstones.sql.ts";
import { type Looked, lookAt, notLooked } from "./ask.ts";
import { chooseEmail } from "./choose-email.ts";
import { inTurns } from "./in-turns.ts";

/** A call may queue behind this many others' full time at a loaded site service before it counts as lost. */
const patience = 6;
/** Sites of a batch that are looked at at once: a measurement takes 10 to 30 s, and live leads want theirs too. */
const lookedAtAtOnce = 4;

/**
 * Looks at each lead's web site, and has others look at it as the lead's tier says. A site that is down is a fact about the
 * lead; a service of ours, or a provider, that is down is an outage.
 */
export default defineService({
  name: "enrich",
  mixins: [
    actor<Lead>({
      stage: "enrich",
      async handle(told) {
        // The first stage resolves it, so that all of them do as much for the lead.
        const batch = await Promise.all(
          told.map(async (work) => ({ ...work, lead: { ...work.lead, tier: await tierOf(this.broker, work.lead) } })),
        );
        const { fetch, fetchTimeoutMs } = resourcesOf(this.broker).settings;
        // No call a lead for an answer that is known.
        if (fetch === "off") return batch.map(({ lead }) => forward(enriched(lead, notFetched(lead), notLooked(lead))));
        const erased = await erasedOf(this, batch);
        const timeout = fetchTimeoutMs * patience;
        const sites = await Promise.allSettled(
          batch.map((work) => {
            if (erased.has(work.lead.leadId)) return notFetched(work.lead, "erased");
            return onBehalfOf(work, () => factsOf(this, work.lead, timeout));
          }),
        );
        // What the others found is in the cache: when the batch comes again it costs them nothing.
        throwOutage(sites, "site");
        const looks = await inTurns(batch, lookedAtAtOnce, async (work, i) => {
          const site = sites[i]!;
          return site.status === "rejected" ? undefined : onBehalfOf(work, () => lookAt(this, work.lead, site.value));
        });
        throwOutage(looks, "providers");
        return batch.map(({ lead }, i): Outcome<Lead> => {
          const [site, look] = [sites[i]!, looks[i]!];
          if (site.status === "rejected") return retry(site.reason);
          if (look.status === "rejected") return outcomeOf(look.reason, lead) ?? retry(look.reason);
          return forward(enriched(lead, site.value, look.value!));
        });
      },
      checkpoint: recordEnds,
      probes: {
        site() {
          return this.broker.call("site.ready");
        },
        web() {
          return this.broker.call("site.ready");
        },
      },
    }),
  ],
});

/** Throws the first of these that is an outage; `dependency` names one of Moleculer's own that names none. */
function throwOutage(answers: readonly PromiseSettledResult<unknown>[], dependency: string): void {
  const down = answers.find((a) => a.status === "rejected" && isOutage(a.reason));
  if (down?.status !== "rejected") return;
  throw down.reason.type === "OUTAGE" ? down.reason : outage(dependency, down.reason);
}

/**
 * Leads of people who were erased so long ago that only the database knows of it, and who will not come on record: nobody
 * is asked about them, as what was answered would be kept and found by no erasure. With the database away there are none:
 * looking at sites does not hang on it.
 */
async function erasedOf({ broker }: Service, batch: readonly Work<Lead>[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const { databases } = resourcesOf(broker);
  for (const { knex, things } of databases.group(batch, ({ lead }) => lead.tenant)) {
    try {
      const leads = things.map(({ lead }) => lead);
      for (const leadId of await statement(() => unwelcome(knex, leads))) found.add(leadId);
    } catch (error) {
      if (!isOutage(error)) throw error;
    }
  }
  return found;
}

function notFetched({ fields }: Lead, reason = "off"): SiteFacts {
  return { status: "not_fetched", reason: fields.website === undefined ? "no_website" : reason };
}

async function factsOf({ broker }: Service, lead: Lead, timeout: number): Promise<SiteFacts> {
  const { website } = lead.fields;
  if (website === undefined) return notFetched(lead);
  return broker.call("site.facts", { url: website }, { timeout });
}

/** The lead with its site's facts, and what others say. Handled again it comes out the same. */
function enriched(lead: Lead, site: SiteFacts, looked: Looked): Lead {
  const fields = { ...lead.fields, ...chooseEmail(lead.fields, site) };
  return { ...lead, fields, facts: { ...lead.facts, site, ...looked } };
}
