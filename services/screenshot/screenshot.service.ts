import { createHash } from "node:crypto";
import type { Context } from "moleculer";
import { screenshotKey, tenantPattern } from "../../config/names.ts";
import { LeadsError } from "../../mixins/errors.ts";
import { ObjectStore } from "../../mixins/object-store.ts";
import { provider } from "../../mixins/provider.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import type { ScreenshotFacts } from "../leads/lead.ts";
import { options, type Picture, parsePicture, path, schema, sortError } from "./read.ts";

interface TakeParams {
  tenant: string;
  leadId: string;
  url: string;
  effect: string;
}

const maxBytes = 4_194_304;
const keptMs = 7 * 86_400_000;

const withPictures = defineMixin<{ pictures: ObjectStore }>()({});

/** Takes pictures of leads' web sites, and puts them into the object store. docs/providers.md */
export default defineService({
  name: "screenshot",
  mixins: [
    withPictures,
    provider({
      name: "screenshot",
      key: (settings) => settings.screenshotKey,
      baseUrl: (settings) => settings.screenshotUrl,
      dailyCalls: (settings) => settings.screenshotDaily,
      parse: ({ body }) => parsePicture(body),
      schema,
      sort: ({ status }, body) => sortError(status, body as Picture | undefined),
      maxBytes,
    }),
  ] as const,
  actions: {
    /**
     * Takes the picture of a lead's site, in the place of the one before; answers that there is one, and since when. One of
     * the same address that is not a week old does: a lead is told again and again. A store that is full is told as
     * `PROVIDER_REFUSED` before anything is paid. Errors as of any provider.
     */
    take: {
      params: {
        tenant: { type: "string", pattern: tenantPattern },
        leadId: "uuid",
        url: { type: "string", pattern: /^https?:\/\//, max: 2_048 },
        effect: { type: "string", min: 1, max: 180 },
      },
      cache: false,
      bulkhead: { enabled: true, concurrency: 8, maxQueueSize: 1_000 },
      timeout: 300_000,
      circuitBreaker: { enabled: true, threshold: 0.5, minRequestCount: 5, windowTime: 60, halfOpenTime: 15_000 },
      // Each try may cost: the stage's outage gate tries again, one batch at a time.
      retryPolicy: { enabled: false },
      async handler(ctx: Context<TakeParams>): Promise<ScreenshotFacts> {
        const { tenant, leadId, url, effect } = ctx.params;
        const { screenshotMicro, providerTimeoutMs } = resourcesOf(this.broker).settings;
        const picture = screenshotKey(tenant, leadId);
        const mark = createHash("sha256").update(url).digest("base64url");
        const known = await this.pictures.about(picture);
        if (known?.mark === mark && known.at > Date.now() - keptMs) return { status: "ok", at: known.at };
        if (!(await this.pictures.hasRoom(maxBytes)))
          throw new LeadsError("PROVIDER_REFUSED", "the store of pictures is full", {
            provider: "screenshot",
            reason: "store_full",
          });
        return this.$ask<ScreenshotFacts>(
          {
            tenant,
            leadId,
            effect,
            // Tier 2: stops at nine tenths of a budget.
            essential: false,
            maxMicro: screenshotMicro,
            request: (key) => ({
              path,
              headers: { "x-access-key": key },
              // It gives up before we do, and says why.
              body: options(url, Math.max(1, Math.floor(providerTimeoutMs / 1_000) - 5)),
            }),
            read: async ({ bytes }: Picture) => {
              await this.pictures.put(picture, bytes!, mark);
              return { status: "ok", at: Date.now() };
            },
            keep: true,
          },
          ctx.requestID ?? undefined,
        );
      },
    },
  },
  created() {
    const { nats, names } = resourcesOf(this.broker);
    this.pictures = new ObjectStore(nats, names.objects.screenshots);
  },
});
