/** The configuration of a node under test: the product's own, with the clocks of the run (clock.ts). */
import type { BrokerOptions, Middleware } from "moleculer";
import { pipeline } from "../../config/pipeline.ts";
import { loadSettings } from "../../config/settings.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import product from "../../moleculer.config.ts";
import { nodeClock } from "./clock.ts";

const clock = nodeClock();
const flow = pipeline.map((stage) => ({
  ...stage,
  ackWaitMs: clock.ackWaitMs,
  retry: { retries: 5, baseMs: clock.retryMs, maxMs: clock.retryMaxMs },
}));
const lease = {
  name: "lease",
  serviceCreating(_service: unknown, schema: { name: string; settings?: object }) {
    if (schema.name === "sender") Object.assign(schema.settings!, { leaseMs: clock.leaseMs, pollMs: 100 });
  },
} as unknown as Middleware;
const options = brokerOptions(loadSettings(), flow);

export default {
  ...product,
  ...options,
  // Of one making: who is not heard of is noted by the middleware, and passed over by the registry's strategy.
  registry: { ...options.registry, stopDelay: product.registry!.stopDelay! },
  heartbeatInterval: clock.heartbeatS,
  heartbeatTimeout: clock.heartbeatTimeoutS,
  requestTimeout: clock.requestTimeoutMs,
  middlewares: [...options.middlewares!, lease],
} satisfies BrokerOptions;
