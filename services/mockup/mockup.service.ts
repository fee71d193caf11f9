import { join, resolve } from "node:path";
import type { Context, Service } from "moleculer";
import { isOutage } from "../../mixins/actor/outage.ts";
import { forward, type Outcome, retry, type Work, wait } from "../../mixins/actor/outcome.ts";
import { actor } from "../../mixins/actor.ts";
import { goesWithout, outcomeOf } from "../../mixins/provider.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { WatchedFile } from "../../mixins/watched-file.ts";
import { type Lead, lowestTier, type MockupDraft, type MockupFacts } from "../leads/lead.ts";
import { recordEnds } from "../leads/record.ts";
import { draft as draftOf, tradeOf } from "./draft.ts";
import { type Answer, draftByModel } from "./drafter.ts";
import { type Failed, reasonOf, waitOf } from "./patience.ts";
import { render, type Shown } from "./render.ts";
import { siteRules } from "./site-rules.ts";

const root = join(import.meta.dirname, "../..");

interface WithRuleTexts {
  ruleTexts: WatchedFile<ReadonlyMap<string, string>>;
  /** When it was last said that mock-ups wait, ms since 1970. */
  saidAt?: number;
}
/** Mock-ups that wait are parked one by one; that they do is said this often, ms. */
const sayEveryMs = 60_000;
/** Words for rules of the scoring file that the drafts have no sentence of their own for. */
const ruleTexts = defineMixin<WithRuleTexts>()({
  async started() {
    this.ruleTexts = await WatchedFile.open({
      path: resolve(root, resourcesOf(this.broker).settings.scoringRules),
      load: siteRules,
      onRefused: (error) => this.logger.error("scoring rules refused, the old descriptions stay", error.message),
    });
  },
  async stopped() {
    this.ruleTexts?.close();
  },
});

/**
 * Drafts a one-page site for leads at or above the audit threshold; the others go on without. The template drafts those of
 * tier 1; a language model writes the words for the others, where there is one. docs/mockup.md
 */
export default defineService({
  name: "mockup",
  // `started` runs from the last mixin to the first: the texts are there before the mailbox is read.
  mixins: [
    actor<Lead>({
      stage: "mockup",
      handle(batch) {
        const { auditThreshold } = resourcesOf(this.broker).settings;
        // All at once: the leads that need no model are not held longer than by its slowest call.
        return Promise.all(
          batch.map((work) =>
            (work.lead.score?.value ?? 0) >= auditThreshold
              ? drafted(this as Service & WithRuleTexts, work)
              : forward(work.lead),
          ),
        );
      },
      // What ends here may not be spent on, and its tenant wants it so.
      checkpoint: recordEnds,
    }),
    ruleTexts,
  ],

  actions: {
    /** The page of a lead's mock-up: `{ html }`. `NOT_FOUND` where the tenant has no such lead, or it has no mock-up. */
    render: {
      params: { tenant: "string", id: "string" },
      async handler(ctx: Context<{ tenant: string; id: string }>) {
        const { tenant, id } = ctx.params;
        const { draft, ...shown } = await ctx.call<Shown & { draft: MockupDraft }, object>("leads.mockup", {
          tenant,
          id,
        });
        return { html: render(draft, shown) };
      },
    },
  },
});

/**
 * The lead with its mock-up; or a wait, where the language model is down, limited or busy; and what its tenant chose where
 * there is no budget for it.
 */
async function drafted(service: Service & WithRuleTexts, work: Work<Lead>): Promise<Outcome<Lead>> {
  const { broker } = service;
  const { lead } = work;
  const { llmKey, anthropicKey } = resourcesOf(broker).settings;
  const base = draftOf(lead, service.ruleTexts.value);
  const byTemplate = (reason: string) => withMockup(lead, base, { by: "template", reason });
  if ((lead.tier ?? lowestTier) < 2) return byTemplate("tier_1");
  if (llmKey === "" && anthropicKey === "") return byTemplate("no_key");
  try {
    const { draft, told } = await draftByModel(lead, {
      base,
      trade: tradeOf(lead),
      ask: (question) =>
        broker.call<Answer, object>(
          work.lane === "live" ? "llm.completeNow" : "llm.complete",
          { ...question, tenant: lead.tenant, leadId: lead.leadId },
          { requestID: work.requestId },
        ),
    });
    return withMockup(lead, draft, told);
  } catch (error) {
    const failed = error as Error & Failed;
    if (failed.type === "OVER_BUDGET" && goesWithout(failed) === null) return outcomeOf(failed, lead) ?? retry(failed);
    const now = Date.now();
    const since = lead.timeline.at(-1)?.at ?? now;
    const until = waitOf(failed, { now, since, chance: Math.random(), isDown: isOutage(failed) });
    if (until !== null) {
      if (now - (service.saidAt ?? 0) > sayEveryMs) {
        service.saidAt = now;
        service.logger.warn("mock-ups wait for the language model", failed.message);
      }
      return wait(until, failed.message);
    }
    const reason = reasonOf(failed);
    return reason === null ? retry(failed) : byTemplate(reason);
  }
}

function withMockup(lead: Lead, mockup: MockupDraft, told: MockupFacts): Outcome<Lead> {
  return forward({ ...lead, mockup, facts: { ...lead.facts, mockup: told } });
}
