/**
 * A provider that keeps an account of what it was asked, as real ones do: `metered.ask` makes a paid call, `metered.fate`
 * looks into the account. Its server is the test's (LEADS_PAGESPEED_URL).
 */
import type { Context } from "moleculer";
import { provider } from "../../mixins/provider.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";

export default defineService({
  name: "metered",
  mixins: [
    provider({
      name: "metered",
      key: () => "a key",
      baseUrl: (settings) => settings.pagespeedUrl,
      dailyCalls: () => 1_000,
      schema: { micro: "number" },
      maxBytes: 10_000,
    }),
  ] as const,
  actions: {
    ask: {
      async handler(ctx: Context<{ tenant: string; effect: string; maxMicro: number }>): Promise<number> {
        const { tenant, effect, maxMicro } = ctx.params;
        return this.$ask<number>({
          tenant,
          effect,
          maxMicro,
          essential: true,
          request: () => ({ path: "/calls", query: [["effect", effect]] }),
          read: ({ micro }: { micro: number }) => micro,
          costOf: ({ micro }: { micro: number }) => micro,
          keep: false,
        });
      },
    },
    /** What an effect did cost, by the provider's account: 0 for one that it never saw. Throws where it does not say. */
    async fate(ctx: Context<{ tenant: string; effectKey: string }>): Promise<number> {
      const url = new URL("/usage", resourcesOf(this.broker).settings.pagespeedUrl);
      url.searchParams.set("effect", ctx.params.effectKey.slice(`${this.name} `.length));
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(`the account answers ${answer.status}`);
      return ((await answer.json()) as { micro: number }).micro;
    },
  },
});
