import type { Context } from "moleculer";
import { tenantPattern } from "../../config/names.ts";
import { LeadsError } from "../../mixins/errors.ts";
import { cacheKeyOf, type ForgetParams, forget, forgetParams } from "../../mixins/forget.ts";
import { sortGoogle } from "../../mixins/provider/google.ts";
import { provider } from "../../mixins/provider.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import type { PageSpeedFacts } from "../leads/lead.ts";
import { factsOf, type PageSpeedAnswer, path, query, schema, sortError } from "./read.ts";

interface FactsParams {
  tenant: string;
  url: string;
  effect: string;
  leadId?: string;
}

const keptSeconds = 7 * 86_400;
/**
 * Calls at once for each 25,000 a day, Google's usual quota, with which come 240 a minute: sixteen, of 15 s each, are no
 * more than a quarter of that. Who was given more a day may ask more at once: their calls are booked together.
 */
const atOnce = 16;
const usualDaily = 25_000;
const mostAtOnce = 128;
/** An answer holds screenshots and every audit's details: 0.5 to 2 MB is usual. */
const maxBytes = 16_777_216;

/** Measures web sites by Google's PageSpeed Insights, on a mobile device. docs/providers.md */
export default defineService({
  name: "pagespeed",
  mixins: [
    provider({
      name: "pagespeed",
      key: (settings) => settings.pagespeedKey,
      baseUrl: (settings) => settings.pagespeedUrl,
      dailyCalls: (settings) => settings.pagespeedDaily,
      schema,
      sort: (_answer, body) => sortError(body) ?? sortGoogle(body),
      maxBytes,
    }),
  ] as const,
  merged(schema) {
    const { pagespeedDaily } = resourcesOf(this.broker).settings;
    const bulkhead = schema.actions!["facts"] as { bulkhead: { concurrency: number } };
    bulkhead.bulkhead.concurrency = Math.max(atOnce, Math.min(mostAtOnce, (pagespeedDaily / usualDaily) * atOnce));
  },
  actions: {
    /** Forgets what is kept of these sites; returns how many were. Throws `OUTAGE` when that cannot be said. */
    forget: {
      params: forgetParams,
      handler(ctx: Context<ForgetParams>): Promise<number> {
        return forget(
          this.broker,
          ctx.params.websites.map((url) => cacheKeyOf(this.broker, `${this.name}.facts`, { url })),
        );
      },
    },
    /**
     * The site's {@link PageSpeedFacts}, kept for seven days by its URL, whoever asks. Throws `PROVIDER_OFF` without a
     * key, `PROVIDER_LATER`, `OVER_BUDGET`, `PROVIDER_REFUSED` for a page that cannot be measured, `OUTAGE`.
     */
    facts: {
      params: {
        tenant: { type: "string", pattern: tenantPattern },
        url: { type: "string", pattern: /^https?:\/\//, max: 2_048 },
        effect: { type: "string", min: 1, max: 180 },
        leadId: { type: "uuid", optional: true },
      },
      cache: { keys: ["url"], ttl: keptSeconds },
      bulkhead: { enabled: true, concurrency: atOnce, maxQueueSize: 1_000 },
      // The longest wait in the bulkhead's queue, and the call; the request itself has LEADS_PROVIDER_TIMEOUT_MS.
      timeout: 300_000,
      circuitBreaker: { enabled: true, threshold: 0.5, minRequestCount: 5, windowTime: 60, halfOpenTime: 15_000 },
      // Each try may cost: the stage's outage gate tries again, one batch at a time.
      retryPolicy: { enabled: false },
      async handler(ctx: Context<FactsParams>): Promise<PageSpeedFacts> {
        const { url, tenant, effect, leadId } = ctx.params;
        const { pagespeedMicro } = resourcesOf(this.broker).settings;
        return this.$ask<PageSpeedFacts>(
          {
            tenant,
            effect,
            ...(leadId === undefined ? {} : { leadId }),
            // Tier 1: every lead's.
            essential: true,
            maxMicro: pagespeedMicro,
            request: (key) => ({ path, query: query(url, key) }),
            read(body: PageSpeedAnswer) {
              const facts = factsOf(body);
              // It may be otherwise in a moment: not to be kept, as what is told by an error's status is not.
              if (facts.status !== "failed") return facts;
              const { reason } = facts;
              throw new LeadsError("PROVIDER_REFUSED", `cannot measure it: ${reason}`, {
                provider: "pagespeed",
                reason,
              });
            },
            keep: true,
          },
          ctx.requestID ?? undefined,
        );
      },
    },
  },
});
