import { compare } from "./chain/compare.ts";
import type { Bench } from "./row.ts";

/** Five stages that do nothing, two checkpoints in PostgreSQL (after the second and the last): what the mesh itself costs. */
export const run: Bench = (options) =>
  compare(
    {
      bench: "chain",
      stages: ["one", "two", "three", "four", "five"],
      checkpoints: new Set([1, 4]),
      // The best of a sweep of batches (100 to 500), envelopes (1 to 50) and concurrency (1 to 4) on two cores.
      shapes: options.short
        ? [{ batchLeads: 250, perEnvelope: 50, concurrency: 2 }]
        : [
            { batchLeads: 250, perEnvelope: 1, concurrency: 2 },
            { batchLeads: 500, perEnvelope: 1, concurrency: 2 },
            { batchLeads: 250, perEnvelope: 10, concurrency: 2 },
            { batchLeads: 250, perEnvelope: 50, concurrency: 1 },
            { batchLeads: 250, perEnvelope: 50, concurrency: 2 },
            { batchLeads: 500, perEnvelope: 50, concurrency: 2 },
          ],
      leads: 40_000,
      goal: 0.8,
    },
    options,
  );
