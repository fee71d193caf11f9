import assert from "node:assert/strict";
import { stageToResume } from "../../../services/dedupe/way.ts";

const flow = ["enrich", "dedupe", "score", "email"].map((name) => ({ name }));
const nextOf = (stage: string) => flow[flow.findIndex(({ name }) => name === stage) + 1]?.name ?? null;
const timeline = (...entries: string[]) =>
  entries.map((entry) => {
    const [stage, outcome] = entry.split(" ") as [string, string];
    return { stage, outcome, at: 0, waitedMs: 0, workedMs: 0 };
  });

describe("where an unmerged lead goes on", () => {
  const ways: [string, string[], string | null][] = [
    ["after the stage that merged it", ["enrich forward", "dedupe merge", "dedupe unmerge"], "score"],
    ["where its own way had gone on meanwhile", ["enrich forward", "dedupe forward", "score forward"], "email"],
    ["at the stage that ended it, to end it again", ["enrich forward", "dedupe merge", "score complete"], "score"],
    ["after what it had passed when it was lost under way", ["enrich forward", "dedupe unmerge"], "dedupe"],
    ["nowhere when it has passed all", ["email forward"], null],
    ["at the beginning when it has passed nothing, or what is no stage any more", ["gone forward"], "enrich"],
  ];
  for (const [what, entries, expected] of ways)
    it(what, () => assert.equal(stageToResume(timeline(...entries), flow, nextOf), expected));
});
