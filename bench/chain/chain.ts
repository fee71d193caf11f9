import type { Comparison } from "./compare.ts";

/** The chain of the bench `chain`: five stages, checkpoints after the second and the last. */
export const chain: Pick<Comparison, "stages" | "checkpoints"> = {
  stages: ["one", "two", "three", "four", "five"],
  checkpoints: new Set([1, 4]),
};
