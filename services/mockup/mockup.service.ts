import { join, resolve } from "node:path";
import type { Context, Service } from "moleculer";
import { forward } from "../../mixins/actor/outcome.ts";
import { actor } from "../../mixins/actor.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { WatchedFile } from "../../mixins/watched-file.ts";
import type { Lead, MockupDraft } from "../leads/lead.ts";
import { recordEnds } from "../leads/record.ts";
import { draft as draftOf } from "./draft.ts";
import { render, type Shown } from "./render.ts";
import { siteRules } from "./site-rules.ts";

const root = join(import.meta.dirname, "../..");

interface WithRuleTexts {
  ruleTexts: WatchedFile<ReadonlyMap<string, string>>;
}
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

/** Drafts a one-page site for leads at or above the audit threshold; the others go on without. */
export default defineService({
  name: "mockup",
  // `started` runs from the last mixin to the first: the texts are there before the mailbox is read.
  mixins: [
    actor<Lead>({
      stage: "mockup",
      handle(batch) {
        const { auditThreshold } = resourcesOf(this.broker).settings;
        const texts = (this as Service & WithRuleTexts).ruleTexts.value;
        return batch.map(({ lead }) =>
          (lead.score?.value ?? 0) >= auditThreshold
            ? forward({ ...lead, mockup: draftOf(lead, texts) })
            : forward(lead),
        );
      },
      // Nothing ends here unless the flow ends here.
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
