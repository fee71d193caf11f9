import type { Context } from "moleculer";
import { type ForgetParams, forget, forgetParams } from "../../mixins/forget.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { traced } from "../../mixins/trace/scope.ts";
import type { SiteFacts } from "../leads/lead.ts";
import { keptSeconds } from "./facts.ts";
import { type Site, siteOf } from "./site-of.ts";
import { loadFingerprints } from "./technologies.ts";
import { type Outside, Visitor } from "./visitor.ts";

interface Vars {
  visitor: Visitor;
  /** Visits under way, by the site's key: who asks for the same site meanwhile gets the same answer. */
  visits: Map<string, Promise<SiteFacts>>;
}

/**
 * The provider of web sites: fetches a site and says what stands there. A service of its own, so that Moleculer
 * balances, bounds (bulkhead) and times its calls. docs/enrich.md tells its rules.
 */
export function siteService(outside?: Outside) {
  const visits = defineMixin<Vars>()({
    methods: {
      keyOf(this: any, site: Site): string {
        return `site.facts:${resourcesOf(this.broker).settings.fetch}:${site.key}`;
      },
      /** The site's facts from the cache, from a visit under way, or from a visit of our own. */
      async factsOf(this: any, site: Site): Promise<SiteFacts> {
        // Not by the action's `cache`: that knows one TTL, and what is down is asked again sooner than what was read.
        const cacher = this.broker.cacher;
        const key: string = this.keyOf(site);
        const kept = (await cacher?.get(key)) as SiteFacts | null | undefined;
        if (kept) return kept;
        let visit: Promise<SiteFacts> | undefined = this.visits.get(key);
        if (!visit) {
          const { visitor }: Vars = this;
          visit = traced({ name: "site visit", kind: "CLIENT", remote: "web" }, () => visitor.visit(site)).then(
            (facts) => {
              // Not waited for: a cache that is gone must not hold up the answer (a fault of it is a miss).
              void Promise.resolve(cacher?.set(key, facts, keptSeconds(facts))).catch(() => {});
              return facts;
            },
          );
          this.visits.set(key, visit);
          void visit.catch(() => {}).finally(() => this.visits.delete(key));
        }
        return visit;
      },
    },

    created() {
      const { settings } = resourcesOf(this.broker);
      if (settings.fetch === "web" && settings.fetchContact === "")
        throw new Error(
          "LEADS_FETCH=web needs LEADS_FETCH_CONTACT: an address where owners of web sites find who calls",
        );
      if (settings.fetch === "generator" && settings.generatorUrl === "")
        throw new Error("LEADS_FETCH=generator needs LEADS_GENERATOR_URL");
      this.visits = new Map();
      this.visitor = new Visitor(settings, outside);
      // Now, not in the first call: it takes 60 ms.
      if (settings.fetch !== "off") loadFingerprints();
    },

    async stopped() {
      await this.visitor?.close();
    },
  });

  return defineService({
    name: "site",
    mixins: [visits],

    actions: {
      /**
       * What the web site at `url` says: {@link SiteFacts}. A site that is down, slow, hostile or closed to us is
       * facts, too. Throws `OUTAGE` (dependency `web`) when our own way out is down.
       */
      facts: {
        params: { url: { type: "string", max: 2_048 } },
        bulkhead: { enabled: true, concurrency: 256, maxQueueSize: 8_192 },
        async handler(ctx: Context<{ url: string }>): Promise<SiteFacts> {
          const { fetch } = resourcesOf(this.broker).settings;
          const site = siteOf(ctx.params.url);
          if (site === null) return { status: "unreachable", reason: "bad_url" };
          if (fetch === "off" || (fetch === "generator" && !site.host.endsWith(".example")))
            return { status: "not_fetched", reason: "off" };
          return this.factsOf(site);
        },
      },

      /** Forgets what is kept of these sites; returns how many were. Throws `OUTAGE` when that cannot be said. */
      forget: {
        params: forgetParams,
        handler(ctx: Context<ForgetParams>): Promise<number> {
          const sites = ctx.params.websites.flatMap((url) => siteOf(url) ?? []);
          return forget(
            this.broker,
            sites.map((site) => this.keyOf(site)),
          );
        },
      },

      /** Can sites be visited? Throws `OUTAGE` while our own way out is down. */
      async ready(): Promise<void> {
        await this.visitor.ready();
      },
    },
  });
}

export default siteService();
