import type { Context } from "moleculer";
import { tenantPattern } from "../../config/names.ts";
import { sortGoogle } from "../../mixins/provider/google.ts";
import { provider } from "../../mixins/provider.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import {
  fieldMask,
  type PlacesPage,
  pageOf,
  path,
  requestBody,
  type Search,
  type SearchAnswer,
  schema,
  sortError,
  tokenOf,
} from "./read.ts";

interface PageParams extends Search {
  tenant: string;
  cursor: string | null;
  effect: string;
}

/** Listings from Google's Places API (New), a page at a time, for the stage source. docs/providers.md */
export default defineService({
  name: "listing-places",
  mixins: [
    provider({
      name: "places",
      key: (settings) => settings.placesKey,
      baseUrl: (settings) => settings.placesUrl,
      dailyCalls: (settings) => settings.placesDaily,
      schema,
      sort: (_answer, body) => sortGoogle(body) ?? sortError(body),
      maxBytes: 2_097_152,
    }),
  ] as const,
  methods: {
    /** A page, paid. */
    search(
      { tenant, effect, ...search }: Omit<PageParams, "cursor">,
      token: string | null,
      round: number,
      id?: string,
    ) {
      const { placesMicro, placesRaw } = resourcesOf(this.broker).settings;
      return this.$ask<PlacesPage>(
        {
          tenant,
          effect,
          // New leads are what everything else lives on.
          essential: true,
          maxMicro: placesMicro,
          request: (key) => ({
            path,
            headers: { "x-goog-api-key": key, "x-goog-fieldmask": fieldMask },
            body: requestBody(search, token),
          }),
          read: (body: SearchAnswer) => pageOf(body, { round, kept: placesRaw }),
          keep: false,
        },
        id,
      );
    },
  },
  actions: {
    /**
     * The businesses of a vertical in a postal code from `cursor` on (null: from the first). A page's token is good for a
     * while only: where Google knows it no more, the search begins anew, once; what comes twice is the same leads. Errors
     * as of any provider.
     */
    page: {
      params: {
        tenant: { type: "string", pattern: tenantPattern },
        zip: { type: "string", min: 1, max: 10 },
        vertical: { type: "string", min: 1, max: 64 },
        region: { type: "string", pattern: /^[A-Z]{2}$/ },
        cursor: { type: "string", pattern: /^[01]\../, max: 4_096, nullable: true, default: null },
        effect: { type: "string", min: 1, max: 180 },
      },
      cache: false,
      bulkhead: { enabled: true, concurrency: 4, maxQueueSize: 1_000 },
      timeout: 120_000,
      circuitBreaker: { enabled: true, threshold: 0.5, minRequestCount: 5, windowTime: 60, halfOpenTime: 15_000 },
      // Each try may cost: the stage's outage gate tries again, one item at a time.
      retryPolicy: { enabled: false },
      async handler(ctx: Context<PageParams>): Promise<PlacesPage> {
        const { cursor, tenant, zip, vertical, region, effect } = ctx.params;
        const asked = { tenant, zip, vertical, region, effect };
        const id = ctx.requestID ?? undefined;
        if (cursor === null) return this.search(asked, null, 0, id);
        const { token, round } = tokenOf(cursor);
        try {
          return await this.search(asked, token, round, id);
        } catch (error) {
          const { type, data } = error as { type?: string; data?: { reason?: string } };
          if (type !== "PROVIDER_REFUSED" || data?.reason !== "INVALID_ARGUMENT" || round > 0) throw error;
          this.logger.warn("a page's token is known no more: the search begins anew", { tenant, zip, vertical });
          return this.search({ ...asked, effect: `${effect} anew` }, null, 1, id);
        }
      },
    },
  },
  created() {
    if (resourcesOf(this.broker).settings.placesKey !== "")
      this.logger.info("Google's terms say what may be kept of what the Places API tells: docs/providers.md");
  },
});
