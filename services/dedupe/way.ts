import type { TimelineEntry } from "../leads/lead.ts";

/**
 * The stage at which a lead goes on that an unmerge has put back on its way: the one after the last that let it pass, or
 * where it was merged; where its way had ended meanwhile, that stage, which finds all done and ends it again. Null: it
 * has passed all there are.
 */
export function stageToResume(
  timeline: readonly TimelineEntry[],
  flow: readonly { name: string }[],
  nextOf: (stage: string) => string | null,
): string | null {
  const inFlow = new Set(flow.map(({ name }) => name));
  const last = timeline.findLast(({ stage, outcome }) => outcome !== "unmerge" && inFlow.has(stage));
  if (!last) return flow[0]?.name ?? null;
  return last.outcome === "forward" || last.outcome === "merge" ? nextOf(last.stage) : last.stage;
}
