import assert from "node:assert/strict";
import type { StageConfig } from "../../config/pipeline.ts";
import { forward, retry } from "../../mixins/actor/outcome.ts";
import { put, stateOf } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { testPlace } from "../support/servers.ts";
import { quick, quiet, someLeads, stage } from "../support/stages.ts";

describe("a process for each lane (LEADS_LANES)", () => {
  it("reads its own lane alone, from the mailbox and back from the park", async () => {
    await using place = await testPlace();
    const flow: StageConfig[] = [{ name: "one", ...quick }];
    /** What each process was given: lane and attempt. */
    const given = { live: new Set<string>(), bulk: new Set<string>() };
    let ended = 0;
    const meshOf = (own: keyof typeof given) =>
      startMesh({
        place,
        flow,
        env: { LEADS_LANES: own },
        services: [
          stage("one", {
            handle: (batch) =>
              batch.map(({ lead, lane, attempt }) => {
                given[own].add(`${lane} ${attempt}`);
                return attempt === 1 ? retry(new Error("not yet")) : forward(lead);
              }),
            async checkpoint(_stage, verdicts) {
              ended += verdicts.length;
            },
          }),
        ],
      });
    await using live = await meshOf("live");
    await put(live, "one", "bulk", someLeads(100));
    await put(live, "one", "live", someLeads(20));
    await eventually("live leads ended", () => ended === 20);
    assert.deepEqual([...given.live], ["live 1", "live 2"]);
    assert.equal((await stateOf(live, "one")).lanes, "live");

    await using bulk = await meshOf("bulk");
    await eventually("all ended", () => ended === 120);
    assert.deepEqual([...given.bulk], ["bulk 1", "bulk 2"]);
    assert.deepEqual([...given.live], ["live 1", "live 2"]);
    await quiet(bulk, ["one"]);
  });
});
