import type { Context, ServiceSchema } from "moleculer";
import { tenantPattern } from "../../config/names.ts";
import type { Settings } from "../../config/settings.ts";
import { LeadsError } from "../../mixins/errors.ts";
import type { Answer as HttpAnswer, Sorted } from "../../mixins/provider/answer.ts";
import { provider } from "../../mixins/provider.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import type { Completion, Question, Usage } from "./completion.ts";
import { costMicro, mostMicro, priceOf } from "./prices.ts";

/** One way to a language model: an API with its key, and the model that is asked there. */
export interface ModelApi<A> {
  name: "openai" | "anthropic";
  key(settings: Settings): string;
  model(settings: Settings): string;
  baseUrl(settings: Settings): string;
  dailyCalls(settings: Settings): number;
  /** The settings that go with it, for who forgot them. */
  modelSetting: string;
  path: string;
  headers(key: string): Record<string, string>;
  bodyOf(question: Question, model: string, maxTokens: number): object;
  schema: object;
  usageOf(answer: A): Usage | null;
  completionOf(answer: A, costMicro: number): Completion;
  sortError(status: number, body: unknown): Sorted | null;
}

/** What {@link modelService} and the service `llm` before it are asked. */
export interface Order extends Question {
  tenant: string;
  effect: string;
  leadId?: string;
}

export const orderParams = {
  tenant: { type: "string", pattern: tenantPattern },
  effect: { type: "string", min: 1, max: 180 },
  leadId: { type: "uuid", optional: true },
  system: { type: "string", min: 1, max: 8_000 },
  prompt: { type: "string", min: 1, max: 16_000 },
  schema: "object",
} as const;

/** Room for the ledger and the gate around the request itself, ms. */
const aroundMs = 15_000;

/**
 * The service `llm-<name>`. Its action `complete` answers a {@link Completion}; it throws `PROVIDER_OFF` without a key,
 * `PROVIDER_LATER`, `OVER_BUDGET` (above the ceiling of a call, too), `PROVIDER_REFUSED`, `OUTAGE`.
 */
export function modelService<A>(api: ModelApi<A>): ServiceSchema {
  return defineService({
    name: `llm-${api.name}`,
    mixins: [
      provider({
        name: api.name,
        // One cap, and one effect, whichever API answers: what the one was paid for the other is not asked.
        account: "llm",
        key: api.key,
        baseUrl: api.baseUrl,
        dailyCalls: api.dailyCalls,
        schema: api.schema,
        sort: ({ status }: HttpAnswer, body) => api.sortError(status, body),
        maxBytes: 1_048_576,
      }),
    ] as const,
    actions: {
      complete: {
        params: orderParams,
        cache: false,
        // The service `llm` says how many at once.
        bulkhead: { enabled: false },
        timeout: 45_000 + aroundMs,
        circuitBreaker: { enabled: true, threshold: 0.5, minRequestCount: 5, windowTime: 60, halfOpenTime: 15_000 },
        // Each try may cost: the stage asks again, when the provider is there again.
        retryPolicy: { enabled: false },
        async handler(ctx: Context<Order>): Promise<Completion> {
          const { tenant, effect, leadId, ...question } = ctx.params;
          const { settings } = resourcesOf(this.broker);
          const price = priceOf(settings.llmPrices, api.model(settings));
          if (api.key(settings) === "" || !price)
            throw new LeadsError("PROVIDER_OFF", `there is no key for ${api.name}`, { provider: api.name });
          const body = api.bodyOf(question, api.model(settings), settings.llmMaxTokens);
          const maxMicro = mostMicro(price, body, settings.llmMaxTokens);
          if (maxMicro > settings.llmCeilingMicro)
            throw new LeadsError("OVER_BUDGET", `${api.name} could cost ${maxMicro}, above the ceiling of a call`, {
              provider: api.name,
              until: null,
              // No window makes it fit, and it is no tenant's budget: who wanted it goes on without.
              overBudget: "without",
            });
          const costOf = (answer: A) => {
            const usage = api.usageOf(answer);
            return usage ? costMicro(price, usage) : maxMicro;
          };
          return this.$ask<Completion>(
            {
              tenant,
              effect,
              ...(leadId === undefined ? {} : { leadId }),
              essential: false,
              maxMicro,
              request: (key) => ({ path: api.path, headers: api.headers(key), body }),
              read: (answer: A) => api.completionOf(answer, costOf(answer)),
              costOf,
              keep: true,
            },
            ctx.requestID ?? undefined,
          );
        },
      },
    },
    created() {
      const { settings } = resourcesOf(this.broker);
      if (api.key(settings) === "") return;
      const model = api.model(settings);
      if (model === "") throw new Error(`${api.modelSetting} is needed: it names the model that is asked`);
      if (!priceOf(settings.llmPrices, model))
        throw new Error(
          `LEADS_LLM_PRICES is needed: it has no price for ${model}, and what is not priced is not asked`,
        );
    },
  });
}
