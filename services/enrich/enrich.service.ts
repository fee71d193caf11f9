import type { Service } from "moleculer";
import { isOutage } from "../../mixins/actor/outage.ts";
import { forward, type Outcome, retry } from "../../mixins/actor/outcome.ts";
import { actor } from "../../mixins/actor.ts";
import { outage } from "../../mixins/errors.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import type { Lead, SiteFacts } from "../leads/lead.ts";
import { chooseEmail } from "./choose-email.ts";

/** A call may queue behind this many others' full time at a loaded site service before it counts as lost. */
const patience = 6;

/** Looks at each lead's web site. A site that is down is a fact about the lead; a site service that is down is an outage. */
export default defineService({
  name: "enrich",
  mixins: [
    actor<Lead>({
      stage: "enrich",
      async handle(batch) {
        const { fetch, fetchTimeoutMs } = resourcesOf(this.broker).settings;
        // No call a lead for an answer that is known.
        if (fetch === "off") return batch.map(({ lead }) => forward(enriched(lead, notFetched(lead))));
        const timeout = fetchTimeoutMs * patience;
        const answers = await Promise.allSettled(
          batch.map(({ lead, requestId }) => factsOf(this, lead, { timeout, requestID: requestId })),
        );
        const down = answers.find((a) => a.status === "rejected" && isOutage(a.reason)) as
          | PromiseRejectedResult
          | undefined;
        // What the others found is in the cache: when the batch comes again it costs them nothing.
        if (down) throw down.reason.type === "OUTAGE" ? down.reason : outage("site", down.reason);
        return batch.map(({ lead }, i): Outcome<Lead> => {
          const answer = answers[i]!;
          return answer.status === "fulfilled" ? forward(enriched(lead, answer.value)) : retry(answer.reason);
        });
      },
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

function notFetched({ fields }: Lead): SiteFacts {
  return { status: "not_fetched", reason: fields.website === undefined ? "no_website" : "off" };
}

async function factsOf(
  service: Service,
  lead: Lead,
  options: { timeout: number; requestID: string },
): Promise<SiteFacts> {
  const { website } = lead.fields;
  if (website === undefined) return notFetched(lead);
  return service.broker.call("site.facts", { url: website }, options);
}

/** The lead with its site's facts. Handled again it comes out the same. */
function enriched(lead: Lead, site: SiteFacts): Lead {
  return { ...lead, fields: { ...lead.fields, ...chooseEmail(lead.fields, site) }, facts: { ...lead.facts, site } };
}
