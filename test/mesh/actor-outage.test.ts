import assert from "node:assert/strict";
import { forward } from "../../mixins/actor/outcome.ts";
import { outage } from "../../mixins/errors.ts";
import { deadLetters, Ends, listen, put, stateOf } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { acceptLive, quick, quiet, someLeads, stage } from "../support/stages.ts";

const env = { LEADS_PROBE_MIN_MS: "50", LEADS_PROBE_MAX_MS: "400" };

describe("an outage", () => {
  it("makes the stage wait, one look at a time, burns no try, and ends by itself", async () => {
    const ends = new Ends();
    let downUntil = 0;
    let probes = 0;
    let probing = 0;
    let most = 0;
    const runsDown: number[] = [];
    await using mesh = await startMesh({
      env,
      flow: [{ name: "one", ...quick, batchLeads: 1, concurrency: 8 }],
      services: [
        stage("one", {
          handle(batch) {
            downUntil ||= Date.now() + 3_000;
            assert.equal(batch[0]!.attempt, 1);
            if (Date.now() < downUntil) {
              runsDown.push(Date.now());
              throw outage("postgres", new Error("connection refused"));
            }
            return batch.map(({ lead }) => forward(lead));
          },
          checkpoint: ends.checkpoint,
          probes: {
            async postgres() {
              probes++;
              most = Math.max(most, ++probing);
              await new Promise((resolve) => setTimeout(resolve, 5));
              probing--;
              if (Date.now() < downUntil) throw new Error("still down");
            },
          },
        }),
      ],
    });
    const told = listen(mesh, "one");
    await acceptLive(mesh, someLeads(20));
    const { outage: state } = await eventually("the outage is told", async () => {
      const now = await stateOf(mesh, "one");
      return now.state === "outage" ? now : null;
    });
    assert.equal(state!.dependency, "postgres");
    assert.match(state!.message, /connection refused/);
    await eventually("all ended", () => ends.size === 20);
    await quiet(mesh, ["one"]);
    assert.ok(Date.now() >= downUntil);
    assert.equal(most, 1);
    assert.ok(probes >= 5 && probes <= 40, `${probes} probes`);
    // Each batch in work met it once; after that only the probe looked.
    assert.ok(runsDown.length <= 9, `${runsDown.length} runs`);
    assert.deepEqual([ends.repeats, (await deadLetters(mesh)).length], [0, 0]);
    assert.equal((await stateOf(mesh, "one")).stats.retry, 0);
    await eventually("the end is told", () => told.at(-1) === "working");
    assert.deepEqual(
      told.filter((one, n) => one !== "working" || n > 0),
      ["outage", "working"],
    );
  });

  it("without a probe is looked at by one batch at a time", async () => {
    const ends = new Ends();
    let downUntil = Number.POSITIVE_INFINITY;
    let looks = 0;
    let inWork = 0;
    let most = 0;
    await using mesh = await startMesh({
      env,
      flow: [{ name: "one", ...quick, batchLeads: 1, concurrency: 4 }],
      services: [
        stage("one", {
          async handle(batch) {
            const during = (await stateOf(mesh, "one")).state === "outage";
            if (during) most = Math.max(most, ++inWork);
            await new Promise((resolve) => setTimeout(resolve, 10));
            if (during) {
              looks++;
              inWork--;
            }
            if (Date.now() < downUntil) throw outage("llm");
            return batch.map(({ lead }) => forward(lead));
          },
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    downUntil = Date.now() + 1_500;
    await acceptLive(mesh, someLeads(20));
    await eventually("all ended", () => ends.size === 20);
    assert.ok(looks >= 3, `${looks} looks`);
    assert.ok(most <= 1, `${most} at once`);
    assert.equal((await deadLetters(mesh)).length, 0);
  });

  it("in the checkpoint writes nothing twice and handles nothing again", async () => {
    const ends = new Ends();
    let downUntil = 0;
    let handled = 0;
    await using mesh = await startMesh({
      env,
      flow: [{ name: "one", ...quick }],
      services: [
        stage("one", {
          handle(batch) {
            handled += batch.length;
            return batch.map(({ lead }) => forward(lead));
          },
          async checkpoint(name, verdicts) {
            downUntil ||= Date.now() + 1_000;
            if (Date.now() < downUntil) throw outage("record");
            await ends.checkpoint(name, verdicts);
          },
        }),
      ],
    });
    await put(mesh, "one", "bulk", someLeads(100));
    await quiet(mesh, ["one"]);
    assert.deepEqual([ends.size, ends.repeats, handled], [100, 0, 100]);
  });

  it("that begins while a batch is being split for a bad lead burns no try of the others", async () => {
    const ends = new Ends();
    /** Runs that meet it yet; it begins when the batch was split for the first time. */
    let left: number | null = null;
    const attempts = new Map<string, number>();
    await using mesh = await startMesh({
      env,
      flow: [{ name: "one", ...quick, batchLeads: 16, retry: { retries: 1, baseMs: 100, maxMs: 300 } }],
      services: [
        stage("one", {
          handle(batch) {
            for (const { lead, attempt } of batch) attempts.set(lead.leadId, attempt);
            if (left !== null && left > 0) {
              left--;
              throw outage("llm");
            }
            if (batch.some(({ lead }) => lead.source === "bad")) {
              left ??= 6;
              throw new Error("a bad lead");
            }
            return batch.map(({ lead }) => forward(lead));
          },
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    const leads = someLeads(16);
    leads[5]!.source = "bad";
    await put(mesh, "one", "bulk", leads);
    await eventually("a dead letter", async () => (await deadLetters(mesh)).length === 1);
    await quiet(mesh, ["one"]);
    assert.equal(ends.size, 15);
    assert.deepEqual(
      leads.map(({ leadId }) => attempts.get(leadId)),
      leads.map(({ source }) => (source === "bad" ? 2 : 1)),
    );
  });

  it("that only one lead meets stalls nobody, and that lead ends as a dead letter", async () => {
    const ends = new Ends();
    await using mesh = await startMesh({
      env: { LEADS_PROBE_MIN_MS: "10", LEADS_PROBE_MAX_MS: "50" },
      flow: [{ name: "one", ...quick, batchLeads: 10, retry: { retries: 2, baseMs: 100, maxMs: 300 } }],
      services: [
        stage("one", {
          async handle(batch) {
            await new Promise((resolve) => setTimeout(resolve, 5));
            if (batch.some(({ lead }) => lead.source === "poison")) throw outage("llm", new Error("timed out"));
            return batch.map(({ lead }) => forward(lead));
          },
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    const leads = someLeads(5);
    leads[2]!.source = "poison";
    await put(mesh, "one", "bulk", leads);
    // A stage that has other work: without any nobody could tell the lead's fault from the dependency's.
    let sent = 0;
    const letters = await eventually(
      "a dead letter",
      async () => {
        await put(mesh, "one", "live", someLeads(2));
        sent += 2;
        const dead = await deadLetters(mesh);
        return dead.length > 0 ? dead : null;
      },
      { withinMs: 20_000 },
    );
    assert.deepEqual(
      letters.map(({ lead, attempts, error }) => [lead!.leadId, attempts, error.type]),
      [[leads[2]!.leadId, 3, "OUTAGE"]],
    );
    await quiet(mesh, ["one"]);
    assert.equal(ends.size, sent + 4);
    assert.equal((await stateOf(mesh, "one")).state, "working");
  });
});
