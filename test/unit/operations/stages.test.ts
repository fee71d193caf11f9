import assert from "node:assert/strict";
import {
  heard,
  type Instance,
  type Lane,
  type News,
  type Signs,
  stagesOf,
  standstill,
  tooSlow,
} from "../../../services/operations/stages.ts";
import { whyOf } from "../../../services/operations/why.ts";

const now = 1_770_000_000_000;
const lane = (given: Partial<Lane> = {}): Lane => ({
  stage: "score",
  lane: "live",
  ready: 0,
  unacknowledged: 0,
  parked: 0,
  about: false,
  oldestMs: null,
  redelivered: 0,
  delivered: 0,
  paused: null,
  ...given,
});
const news = (given: Partial<News> = {}): News => ({
  stage: "score",
  nodeID: "a",
  state: "working",
  outage: null,
  lanes: "both",
  inHand: 0,
  stats: { forward: 0, complete: 0, merge: 0, reject: 0 },
  at: now,
  ...given,
});
const instance = (given: Partial<News> = {}, heardAt = now): Instance => ({
  news: news(given),
  heardAt,
  since: heardAt,
  rate: null,
});
const outage = { dependency: "postgres", since: now - 9_000, message: "postgres is down" };
const since = (at?: number) => new Map(at ? [["score", at]] : []);
const stageOf = (lanes: Lane[], instances: Instance[], stillSince?: number, more: Partial<Signs> = {}) => {
  const goalsMs = { live: 10_000, bulk: 300_000 };
  const signs = { stillSince: since(stillSince), slowSince: since(), usedUp: [], silentMs: 10_000, goalsMs, ...more };
  return stagesOf(["score"], lanes, instances, signs, now)[0]!;
};

describe("how a stage is", () => {
  it("is as its best instance is, and a pause goes before all", () => {
    const waits = instance({ nodeID: "b", state: "outage", outage });
    assert.equal(stageOf([lane()], [instance(), waits]).state, "working");
    const down = stageOf([lane()], [waits]);
    assert.deepEqual([down.state, down.since, down.why], ["outage", outage.since, "postgres is down"]);
    const paused = { by: "key 1", reason: "rules", at: now - 5 };
    const still = stageOf([lane({ paused, ready: 9 })], [instance()], now - 60_000);
    assert.deepEqual([still.state, still.by, still.why], ["paused", "key 1", "rules"]);
    assert.equal(stageOf([lane()], [instance({ state: "draining" })]).state, "draining");
  });

  it("is absent when nobody has told of it for 15 s", () => {
    assert.equal(stageOf([lane()], [instance({}, now - 15_001)]).state, "absent");
    assert.equal(stageOf([lane()], [instance({}, now - 14_000)]).state, "working");
  });

  it("is silent when leads wait, none is in hand and none is given, for as long as the watchdog waits", () => {
    let state = standstill(undefined, lane({ ready: 5, delivered: 7 }), now - 30_000);
    state = standstill(state, lane({ ready: 6, delivered: 7 }), now - 20_000);
    assert.equal(state.since, now - 30_000);
    assert.equal(stageOf([lane({ ready: 6 })], [instance()], state.since!).state, "silent");
    assert.equal(standstill(state, lane({ ready: 5, delivered: 8 }), now).since, now, "one was given");
    assert.equal(
      standstill(state, lane({ ready: 5, delivered: 7, unacknowledged: 1 }), now).since,
      null,
      "one is in hand",
    );
    assert.equal(standstill(state, lane({ delivered: 7 }), now).since, null, "it is empty");
  });

  it("is in an outage while its processes' pools are used up, unless one of them works", () => {
    const usedUp = [{ nodeID: "a", since: now - 12_000, text: "the database pool is used up" }];
    const down = stageOf([lane()], [instance()], undefined, { usedUp });
    assert.deepEqual([down.state, down.since], ["outage", now - 12_000]);
    assert.equal(down.why, "the database pool is used up (a)");
    assert.equal(stageOf([lane()], [instance(), instance({ nodeID: "b" })], undefined, { usedUp }).state, "working");
  });

  it("is slow when the oldest lead is far too old and the backlog takes longer than it should", () => {
    const late = lane({ ready: 300, oldestMs: 61_000 });
    assert.equal(tooSlow(late, 20, 10_000), true);
    assert.equal(tooSlow(late, 31, 10_000), false, "soon gone: one message is old, the others pass");
    assert.equal(tooSlow(lane({ ready: 300, oldestMs: 59_000 }), 20, 10_000), false);
    assert.equal(tooSlow(lane({ unacknowledged: 1, oldestMs: 61_000 }), 0, 10_000), true);
    const slow = stageOf([late], [instance()], undefined, { slowSince: since(now - 5_000) });
    assert.deepEqual([slow.state, slow.since], ["slow", now - 5_000]);
    assert.match(
      slow.why!,
      /its oldest live lead has waited for 61 s, where 10 s are the goal; it does 0 leads a second/,
    );
  });

  it("has a rate from what its instances finished, and a time to drain by it", () => {
    const first = heard(undefined, news({ at: now - 5_000 }), now - 5_000);
    const stats = { forward: 90, complete: 5, merge: 4, reject: 1 };
    const second = heard(first, news({ at: now, stats }), now);
    assert.equal(second.rate, 20);
    const stage = stageOf([lane({ ready: 150, unacknowledged: 50, parked: 7 })], [second]);
    assert.deepEqual([stage.rate, stage.backlog, stage.parked, stage.drainSeconds], [20, 200, 7, 10]);
    assert.equal(stageOf([lane({ ready: 1 })], [instance()]).drainSeconds, null);
    // A change that is told a moment later neither makes a rate nor loses the leads for the next one.
    const quick = heard(second, news({ at: now + 10, state: "paused", stats: { ...stats, forward: 91 } }), now + 10);
    assert.deepEqual([quick.rate, quick.news.stats.forward, quick.since], [20, 90, now + 10]);
  });
});

describe("why a lead is where it is", () => {
  const facts = { id: "l", tenant: "acme", sightings: [], incomplete: false };
  const letter = { id: "1-a", stage: "score", diedAt: now, error: { type: "TypeError", message: "m" } };
  const sighting = { place: "mailbox" as const, stage: "score", lane: "live", since: now, before: 3 };
  const stage = { name: "score", state: "working", unacknowledged: 2, instances: 1 };

  it("is told by what is on its way before what the record has heard", () => {
    const dead = { ...facts, lead: { state: "dead", reason: "redriven" }, letter };
    assert.equal(whyOf(dead, []).where, "dead");
    assert.equal(whyOf({ ...dead, sightings: [sighting] }, [stage]).where, "mailbox");
    assert.equal(whyOf({ ...dead, lead: { state: "completed" } }, []).where, "ended");
  });

  it("names what it waits for", () => {
    const waitsFor = (state: string) => whyOf({ ...facts, sightings: [sighting] }, [{ ...stage, state }]).waitsFor;
    assert.deepEqual(["working", "paused", "outage", "silent", "absent"].map(waitsFor), [
      "its turn",
      "a pause to end",
      "an outage to end",
      "an instance",
      "an instance",
    ]);
    assert.equal(
      whyOf({ ...facts, sightings: [{ ...sighting, place: "intake", stage: null }] }, []).waitsFor,
      "admission",
    );
    const parked = { ...sighting, place: "parked" as const, until: now + 5_000, tries: 2, error: letter.error };
    assert.match(
      whyOf({ ...facts, sightings: [parked] }, []).text,
      /until .* after 2 failed tries, the last with TypeError: m/,
    );
  });

  it("says of a stage who stopped it and why as far as it is given that", () => {
    const text = (given: object) =>
      whyOf({ ...facts, sightings: [sighting] }, [{ ...stage, since: now, ...given }]).text;
    const told = { by: "key 17", why: "new rules" };
    assert.match(
      text({ state: "paused", ...told }),
      /The stage is paused by key 17 since [^:]+:\d\d:\d\dZ: new rules$/,
    );
    assert.match(text({ state: "outage", why: "no paper" }), /The stage waits since [^:]+:\d\d:\d\dZ: no paper$/);
    for (const [state, words] of [
      ["paused", /The stage is paused since [^:]+:\d\d:\d\dZ$/],
      ["outage", /The stage waits since [^:]+:\d\d:\d\dZ for an outage to end$/],
      ["slow", /The stage is slow since [^:]+:\d\d:\d\dZ$/],
    ] as const)
      assert.match(text({ state }), words);
  });

  it("tells of one that has ended how its e-mail stands", () => {
    const ended = { ...facts, lead: { state: "completed", reason: "outbox", stage: "email" } };
    const dueAt = Date.UTC(2026, 10, 27);
    const waits = whyOf({ ...ended, mail: { state: "written", dueAt, reason: "over_budget" } }, []);
    assert.deepEqual([waits.where, waits.waitsFor, waits.until], ["ended", "its moment", dueAt]);
    assert.match(waits.text, /Its e-mail waits, due 2026-11-27 00:00:00Z \(over_budget\)$/);
    const failed = whyOf({ ...ended, mail: { state: "failed", reason: "over_budget" } }, []);
    assert.equal(failed.waitsFor, undefined);
    assert.match(failed.text, /Its e-mail: failed \(over_budget\)$/);
    assert.match(whyOf(ended, []).text, /It waits for nothing$/);
  });

  it("says so when it could not be found", () => {
    assert.match(whyOf({ ...facts, lead: { state: "in_progress" } }, []).text, /npm run audit/);
    assert.match(
      whyOf({ ...facts, lead: { state: "in_progress" }, incomplete: true }, []).text,
      /could be read in time/,
    );
  });
});
