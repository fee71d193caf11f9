import type { Context } from "moleculer";
import { defineService } from "../../mixins/schema.ts";
import type { Completion } from "./completion.ts";
import { worthTelling } from "./fallback.ts";
import { type Order, orderParams } from "./model.ts";

/** In this order: the second is asked where the first does not answer, for whatever reason. */
const apis = ["llm-openai.complete", "llm-anthropic.complete"] as const;

/** A wait in the queue and a call, each of which may ask both APIs, ms. */
const timeout = 240_000;

const shared = {
  params: orderParams,
  cache: false,
  timeout,
  circuitBreaker: { enabled: false },
  retryPolicy: { enabled: false },
} as const;

/** A language model: the first API that answers. docs/providers.md */
export default defineService({
  name: "llm",
  methods: {
    async $complete(ctx: Context<Order>): Promise<Completion> {
      const errors: (Error & { type?: string })[] = [];
      for (const action of apis) {
        try {
          return await ctx.call<Completion, Order>(action, ctx.params);
        } catch (error) {
          const failed = error as (typeof errors)[number];
          const { type, message } = failed;
          errors.push(failed);
          if (type !== "PROVIDER_OFF") this.logger.debug("a language model does not answer", { action, type, message });
        }
      }
      throw worthTelling(errors, Date.now());
    },
  },
  actions: {
    /**
     * A {@link Completion}. Throws as the APIs do, by `worthTelling`; `QUEUE_FULL` when too many are at it: the caller comes
     * again later, rather than hold what it has in hand.
     */
    complete: {
      ...shared,
      bulkhead: { enabled: true, concurrency: 12, maxQueueSize: 12 },
      handler(ctx: Context<Order>) {
        return this.$complete(ctx);
      },
    },
    /** The same for a lead of the live lane: a queue of bulk leads is not before it. */
    completeNow: {
      ...shared,
      bulkhead: { enabled: true, concurrency: 8, maxQueueSize: 64 },
      handler(ctx: Context<Order>) {
        return this.$complete(ctx);
      },
    },
  },
});
