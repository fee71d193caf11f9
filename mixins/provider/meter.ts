import type { Meter } from "../metrics.ts";
import type { Sorted } from "./answer.ts";

/** Counts what a provider is asked, how long it takes and what it costs. */
export interface ProviderMeter {
  /** A call begins; tell what came of it. */
  call(): (result: Sorted["kind"] | "unsent" | "unanswered") => void;
  /** A good answer was of unknown form. */
  broken(): void;
  /** What was booked for a call, micro-USD. */
  cost(micro: number): void;
}

export function providerMeter(meter: Meter, provider: string): ProviderMeter {
  const results = ["good", "later", "never", "down", "unsent", "unanswered", "broken"] as const;
  for (const result of results) meter.add("leads_provider_calls_total", { provider, result }, 0);
  meter.add("leads_provider_cost_dollars_total", { provider }, 0);
  return {
    call() {
      const since = performance.now();
      return (result) => {
        meter.add("leads_provider_calls_total", { provider, result });
        meter.observe("leads_provider_duration_seconds", { provider }, (performance.now() - since) / 1_000);
      };
    },
    broken: () => meter.add("leads_provider_calls_total", { provider, result: "broken" }),
    cost: (micro) => meter.add("leads_provider_cost_dollars_total", { provider }, micro / 1e6),
  };
}
