import { join, resolve } from "node:path";
import type { Service } from "moleculer";
import { complete, forward } from "../../mixins/actor/outcome.ts";
import { actor } from "../../mixins/actor.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { WatchedFile } from "../../mixins/watched-file.ts";
import type { Lead } from "../leads/lead.ts";
import { recordEnds } from "../leads/record.ts";
import { compileRules, type Rules } from "./compile.ts";
import { isModernSite } from "./modern-site.ts";

const root = join(import.meta.dirname, "../..");

/** The rules that are in force: they follow their file; a broken one is refused with a logged error. */
interface WithRules {
  rules: WatchedFile<Rules>;
}
const rulesFile = defineMixin<WithRules>()({
  async started() {
    const path = resolve(root, resourcesOf(this.broker).settings.scoringRules);
    this.rules = await WatchedFile.open({
      path,
      load: (text) => compileRules(text, path),
      onChange: ({ version }) => this.logger.info("scoring rules taken up", { version }),
      onRefused: (error) => this.logger.error(`scoring rules refused, the old ones stay:\n${error.message}`),
    });
    this.logger.info("scoring rules loaded", { version: this.rules.value.version });
  },

  async stopped() {
    this.rules?.close();
  },
});

/** Scores leads by the rules in config/scoring-rules.yml. */
export default defineService({
  name: "score",
  // `started` runs from the last mixin to the first: the rules are there before the mailbox is read.
  mixins: [
    actor<Lead>({
      stage: "score",
      handle(batch) {
        // One look at the rules a batch: its leads are scored by the same version.
        const rules = (this as Service & WithRules).rules.value;
        return batch.map((work) => {
          const lead = { ...work.lead, score: rules.score(work.lead) };
          return isModernSite(lead) ? complete(lead, "modern_site") : forward(lead);
        });
      },
      checkpoint: recordEnds,
    }),
    rulesFile,
  ],

  actions: {
    /** The rules in force: `{ version, settings, rules: [{ name, description, points | multiplier }] }`. */
    rules() {
      const { version, settings, texts } = this.rules.value;
      return { version, settings, rules: texts };
    },
  },
});
