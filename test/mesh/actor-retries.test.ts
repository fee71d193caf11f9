import assert from "node:assert/strict";
import type { StageConfig } from "../../config/pipeline.ts";
import { forward, retry, wait } from "../../mixins/actor/outcome.ts";
import { LeadsError } from "../../mixins/errors.ts";
import { jsApi } from "../../mixins/jetstream.ts";
import { deadLetters, Ends, laneInfo, put, stateOf, streamInfo } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { acceptLive, quick, quiet, someLeads, stage } from "../support/stages.ts";

const one: StageConfig = { name: "one", ...quick, retry: { retries: 3, baseMs: 100, maxMs: 400 } };

describe("retries", () => {
  it("wait longer and longer, and end as a dead letter that tells all", async () => {
    const tries: number[] = [];
    await using mesh = await startMesh({
      flow: [one],
      services: [
        stage("one", {
          handle(batch) {
            tries.push(Date.now());
            assert.equal(batch[0]!.attempt, tries.length);
            return [retry(new TypeError(`no ${tries.length}`))];
          },
        }),
      ],
    });
    const [lead] = someLeads(1);
    const startedAt = Date.now();
    await acceptLive(mesh, [lead!]);
    const [letter] = await eventually("a dead letter", async () => {
      const letters = await deadLetters(mesh);
      return letters.length > 0 ? letters : null;
    });
    await quiet(mesh, ["one"]);
    const { headers, requestId, traceparent, seq, firstAt, lastAt, ...rest } = letter!;
    assert.deepEqual(rest, {
      v: 1,
      lead,
      stage: "one",
      error: { type: "TypeError", message: "no 4" },
      attempts: 4,
      stream: mesh.names.mailbox("one").stream,
      lane: "live",
      tenant: "acme",
      subject: `${mesh.names.prefix}.dead.one.acme`,
    });
    assert.match(requestId, /^[0-9a-f]{32}$/);
    assert.match(traceparent, /^00-/);
    assert.equal(seq, 4, "the message of the last try");
    assert.ok(firstAt >= startedAt && firstAt <= tries[0]! + 50 && lastAt >= tries[3]! && lastAt >= firstAt);
    // A wait is a draw from 0 to 100, 200, 400 ms, rounded up to a quarter of a second.
    for (const [n, most] of [100, 200, 400].entries())
      assert.ok(tries[n + 1]! - tries[n]! < most + 250 + 600, `${tries[n + 1]! - tries[n]!} ms before try ${n + 2}`);
  });

  it("are not made of an error that no retry can mend", async () => {
    let runs = 0;
    await using mesh = await startMesh({
      flow: [one],
      services: [
        stage("one", {
          handle() {
            runs++;
            throw new LeadsError("VALIDATION", "can never succeed");
          },
        }),
      ],
    });
    await acceptLive(mesh, someLeads(1));
    const [letter] = await eventually("a dead letter", async () => {
      const letters = await deadLetters(mesh);
      return letters.length > 0 ? letters : null;
    });
    assert.deepEqual([letter!.attempts, letter!.error.type, runs], [1, "VALIDATION", 1]);
  });

  it("hold no place: fresh leads pass a thousand parked ones at full speed, and all come back", async () => {
    const ends = new Ends();
    await using mesh = await startMesh({
      flow: [{ ...one, batchLeads: 250, retry: { retries: 3, baseMs: 5_000, maxMs: 5_000 } }],
      services: [
        stage("one", {
          handle: (batch) =>
            batch.map(({ lead, attempt }) =>
              lead.source === "late" && attempt === 1 ? retry(new Error("not yet")) : forward(lead),
            ),
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    const late = someLeads(1_000).map((lead) => ({ ...lead, source: "late" }));
    await put(mesh, "one", "live", late);
    await eventually("a thousand parked", async () => (await stateOf(mesh, "one")).stats.retry === 1_000);
    const parked = (await streamInfo(mesh.nats, mesh.names.park.stream)).state.messages;
    assert.ok(parked > 500, `${parked} parked`);
    // They are acknowledged as soon as they are parked, long before their time comes.
    const held = async () => (await laneInfo(mesh, "one", "live")).num_ack_pending;
    await eventually("none of them is held", async () => (await held()) === 0, { withinMs: 4_000 });
    const before = performance.now();
    const fresh = someLeads(1_000);
    await put(mesh, "one", "live", fresh);
    await eventually("the fresh ones", () => fresh.every(({ leadId }) => ends.leads.has(leadId)));
    const ms = performance.now() - before;
    assert.ok(ms < 2_500, `1,000 fresh leads took ${ms} ms`);
    await eventually("the parked ones", () => ends.size === 2_000, { withinMs: 12_000 });
    await quiet(mesh, ["one"]);
    assert.equal(ends.repeats, 0);
    assert.ok(late.every(({ leadId }) => ends.leads.get(leadId)!.timeline[0]!.attempt === 2));
  });

  it("are not burnt by a wait, not even for the same moment again and again", async () => {
    const attempts: number[] = [];
    const ends = new Ends();
    const until = Date.now() - 60_000;
    await using mesh = await startMesh({
      flow: [{ ...one, retry: { retries: 0, baseMs: 1, maxMs: 1 } }],
      services: [
        stage("one", {
          handle: (batch) =>
            batch.map(({ lead, attempt }) => {
              attempts.push(attempt);
              return attempts.length <= 4 ? wait(until, "quota") : forward(lead);
            }),
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    await acceptLive(mesh, someLeads(1));
    await eventually("it has passed", () => ends.size === 1);
    assert.deepEqual(attempts, [1, 1, 1, 1, 1]);
    assert.equal((await deadLetters(mesh)).length, 0);
  });

  it("pause the stage, and lose nothing, while the dead letters are full", async () => {
    const ends = new Ends();
    await using mesh = await startMesh({
      flow: [{ ...one, batchLeads: 10, concurrency: 1 }],
      env: { LEADS_DEAD_BYTES: "65536" },
      services: [
        stage("one", {
          handle: (batch) =>
            batch.map(({ lead }) =>
              lead.source === "bad" ? retry(new LeadsError("VALIDATION", "never")) : forward(lead),
            ),
          checkpoint: ends.checkpoint,
        }),
      ],
    });
    const { nats, names } = mesh;
    const bad = someLeads(120).map((lead) => ({
      ...lead,
      source: "bad",
      fields: { name: "x".repeat(1_500) },
    }));
    // Whoever listens to the subject hears each try: more than there are letters, and some were refused.
    let tries = 0;
    nats.subscribe(names.dead.all, { callback: () => tries++ });
    await put(mesh, "one", "live", bad);
    const dead = async () => (await streamInfo(nats, names.dead.stream)).state.messages as number;
    await eventually("the dead letters are full", async () => tries > bad.length && (await dead()) > 10);
    await put(mesh, "one", "live", someLeads(20));
    assert.ok((await dead()) < 120);
    // Nothing that has no dead letter was let go.
    const left = await laneInfo(mesh, "one", "live");
    assert.ok(left.num_pending + left.num_ack_pending >= 120 - (await dead()));
    await jsApi(nats, `STREAM.UPDATE.${names.dead.stream}`, {
      ...(await streamInfo(nats, names.dead.stream)).config,
      max_bytes: 10_000_000,
    });
    await quiet(mesh, ["one"]);
    const letters = await deadLetters(mesh);
    assert.equal(new Set(letters.map(({ lead }) => lead!.leadId)).size, 120);
    assert.equal(letters.length, 120);
    assert.equal(ends.size, 20);
  });
});
