import { compare } from "./chain/compare.ts";
import type { Bench } from "./row.ts";

/** One stage that does nothing and records nothing: pull, decode, acknowledge. What the actor's comforts cost a hop. */
export const run: Bench = (options) =>
  compare(
    {
      bench: "hop",
      stages: ["one"],
      checkpoints: new Set(),
      shapes: [
        { batchLeads: 250, perEnvelope: 1, concurrency: 2 },
        { batchLeads: 250, perEnvelope: 50, concurrency: 2 },
      ],
      leads: 60_000,
      goal: 0.5,
    },
    options,
  );
