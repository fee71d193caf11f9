import type { Context } from "moleculer";
import { getDomain } from "tldts";
import { tenantPattern } from "../../config/names.ts";
import { cacheKeyOf, type ForgetParams, forget, forgetParams } from "../../mixins/forget.ts";
import { textOf } from "../../mixins/provider/answer.ts";
import { provider } from "../../mixins/provider.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import type { SemrushFacts } from "../leads/lead.ts";
import {
  databaseOf,
  linkFacts,
  linksRequest,
  linkUnits,
  parseReport,
  type Report,
  rankFacts,
  rankRequest,
  rankUnits,
  schema,
  sortReport,
} from "./read.ts";

interface FactsParams {
  tenant: string;
  domain: string;
  country: string;
  effect: string;
  leadId?: string;
}

const keptSeconds = 30 * 86_400;

const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
/** Whatever may stand for a country. */
const countries = letters.flatMap((a) => letters.map((b) => a + b));

/** What SEMrush knows of a domain: who finds it, and who links to it. docs/providers.md */
export default defineService({
  name: "semrush",
  mixins: [
    provider({
      name: "semrush",
      key: (settings) => settings.semrushKey,
      baseUrl: (settings) => settings.semrushUrl,
      dailyCalls: (settings) => settings.semrushDaily,
      parse: (answer) => parseReport(textOf(answer)),
      schema,
      sort: (_answer, body) => sortReport(body as Report | undefined),
      maxBytes: 65_536,
    }),
  ] as const,
  actions: {
    /** Forgets what is kept of these sites' domains, in every country; returns how many were. Throws `OUTAGE`. */
    forget: {
      params: forgetParams,
      handler(ctx: Context<ForgetParams>): Promise<number> {
        const domains = ctx.params.websites.flatMap((url) => getDomain(url, { allowPrivateDomains: true }) ?? []);
        const keys = domains.flatMap((domain) =>
          countries.map((country) => cacheKeyOf(this.broker, `${this.name}.facts`, { domain, country })),
        );
        return forget(this.broker, keys);
      },
    },
    /**
     * The domain's {@link SemrushFacts} in a country's results, kept for thirty days by both, whoever asks. Two calls, each
     * paid by itself: where the second must wait, a repeat has the first from the ledger. Errors as of any provider.
     */
    facts: {
      params: {
        tenant: { type: "string", pattern: tenantPattern },
        domain: { type: "string", pattern: /^[a-z0-9.-]+\.[a-z0-9-]+$/, max: 253 },
        country: { type: "string", pattern: /^[A-Z]{2}$/ },
        effect: { type: "string", min: 1, max: 170 },
        leadId: { type: "uuid", optional: true },
      },
      cache: { keys: ["domain", "country"], ttl: keptSeconds },
      // SEMrush allows ten calls a second.
      bulkhead: { enabled: true, concurrency: 5, maxQueueSize: 1_000 },
      timeout: 300_000,
      circuitBreaker: { enabled: true, threshold: 0.5, minRequestCount: 5, windowTime: 60, halfOpenTime: 15_000 },
      // Each try may cost: the stage's outage gate tries again, one batch at a time.
      retryPolicy: { enabled: false },
      async handler(ctx: Context<FactsParams>): Promise<SemrushFacts> {
        const { tenant, domain, country, effect, leadId } = ctx.params;
        const unitMicro = resourcesOf(this.broker).settings.semrushUnitMicro;
        const id = ctx.requestID ?? undefined;
        // Tier 3: stops at nine tenths of a budget.
        const common = { tenant, ...(leadId === undefined ? {} : { leadId }), essential: false, keep: true };
        const rank = await this.$ask<SemrushFacts>(
          {
            ...common,
            effect: `${effect} rank`,
            maxMicro: rankUnits * unitMicro,
            // By line: nothing found costs nothing.
            costOf: ({ rows }: Report) => rankUnits * unitMicro * Math.min(1, rows.length),
            request: (key) => rankRequest(domain, databaseOf(country), key),
            read: rankFacts,
          },
          id,
        );
        const links = await this.$ask<SemrushFacts>(
          {
            ...common,
            effect: `${effect} links`,
            maxMicro: linkUnits * unitMicro,
            request: (key) => linksRequest(domain, key),
            read: linkFacts,
          },
          id,
        );
        return { status: "ok", askedAt: Date.now(), ...rank, ...links };
      },
    },
  },
});
