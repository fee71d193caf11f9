import type { Context } from "moleculer";
import { tenantPattern } from "../../config/names.ts";
import { provider } from "../../mixins/provider.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import { isEnd, maxResults, pageOf, path, query, type SearchAnswer, schema, sortError, type YelpPage } from "./read.ts";

interface PageParams {
  tenant: string;
  zip: string;
  vertical: string;
  cursor: string | null;
  effect: string;
}

/** Listings from Yelp, a page at a time, for the stage source. docs/providers.md */
export default defineService({
  name: "listing-yelp",
  mixins: [
    provider({
      name: "yelp",
      key: (settings) => settings.yelpKey,
      baseUrl: (settings) => settings.yelpUrl,
      dailyCalls: (settings) => settings.yelpDaily,
      schema,
      sort: (answer, body) => sortError(answer, body, Date.now()),
      maxBytes: 2_097_152,
    }),
  ] as const,
  actions: {
    /** The businesses of a vertical in a postal code from `cursor` on (null: from the first). Errors as of any provider. */
    page: {
      params: {
        tenant: { type: "string", pattern: tenantPattern },
        zip: { type: "string", min: 1, max: 10 },
        vertical: { type: "string", min: 1, max: 64 },
        cursor: { type: "string", pattern: /^\d{1,4}$/, nullable: true, default: null },
        effect: { type: "string", min: 1, max: 180 },
      },
      cache: false,
      bulkhead: { enabled: true, concurrency: 4, maxQueueSize: 1_000 },
      timeout: 120_000,
      circuitBreaker: { enabled: true, threshold: 0.5, minRequestCount: 5, windowTime: 60, halfOpenTime: 15_000 },
      // Each try may cost: the stage's outage gate tries again, one item at a time.
      retryPolicy: { enabled: false },
      async handler(ctx: Context<PageParams>): Promise<YelpPage> {
        const { tenant, zip, vertical, cursor, effect } = ctx.params;
        const offset = Number(cursor ?? 0);
        const end: YelpPage = { rows: [], unreadable: 0, cursor: null };
        if (offset >= maxResults) return end;
        try {
          return await this.$ask<YelpPage>(
            {
              tenant,
              effect,
              // New leads are what everything else lives on.
              essential: true,
              maxMicro: resourcesOf(this.broker).settings.yelpMicro,
              request: (key) => ({
                path,
                query: query(zip, vertical, offset),
                headers: { authorization: `Bearer ${key}` },
              }),
              read: (body: SearchAnswer) => pageOf(body, offset),
              keep: false,
            },
            ctx.requestID ?? undefined,
          );
        } catch (error) {
          const { type, data } = error as { type?: string; data?: { reason?: string } };
          if (type === "PROVIDER_REFUSED" && isEnd(data?.reason, offset)) return end;
          throw error;
        }
      },
    },
  },
});
