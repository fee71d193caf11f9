import assert from "node:assert/strict";
import { newsLastMs, readiness, type StageNews, type StageSeen } from "../../services/gateway/readiness.ts";

const now = 1_000_000;
const fine = { nats: { ok: true }, postgres: { ok: true } };
const news = (stage: string, state: string, nodeID = "n1", ageMs = 0): StageNews => ({
  stage,
  nodeID,
  state,
  outage: state === "outage" ? { dependency: "pagespeed" } : null,
  heardAt: now - ageMs,
});
const of = (
  checks: Parameters<typeof readiness>[0],
  told: StageNews[],
  paused: string[] = [],
  seen: StageSeen[] = [],
) => readiness(checks, ["nats"], ["enrich", "email"], told, new Set(paused), seen, now);
const both = [news("enrich", "working"), news("email", "working")];

describe("readiness", () => {
  it("is ready when all works", () => {
    assert.equal(of(fine, both).status, "ready");
  });
  it("is unready when what taking leads in needs is down", () => {
    const answer = of({ ...fine, nats: { ok: false } }, both);
    assert.equal(answer.status, "unready");
    assert.deepEqual(answer.degraded, ["nats"]);
  });
  it("is degraded, and says by what, when something behind is down", () => {
    assert.deepEqual(of({ ...fine, postgres: { ok: false } }, both).degraded, ["postgres"]);
    assert.deepEqual(of(fine, [both[0]!, news("email", "outage")]).degraded, ["stage email"]);
    assert.equal(of(fine, [both[0]!, news("email", "outage")]).status, "degraded");
  });
  it("takes a stage as its best instance", () => {
    const told = [both[0]!, news("email", "outage", "n1"), news("email", "working", "n2")];
    assert.deepEqual(of(fine, told).stages["email"], { state: "working", instances: 2 });
  });
  it("says what an outage waits for", () => {
    const told = of(fine, [both[0]!, news("email", "outage")], [], [{ name: "email", state: "outage", since: 5 }]);
    const email = { state: "outage", instances: 1, waitsFor: "pagespeed", since: 5 };
    assert.deepEqual(told.stages["email"], email);
  });
  it("believes who looks into the mailbox that a stage which says it works is given nothing, or is too slow", () => {
    const seen = ["silent", "slow"].map((state, n) => ({ name: ["enrich", "email"][n]!, state, since: 7 }));
    const answer = of(fine, both, [], seen);
    assert.deepEqual(answer.stages["enrich"], { state: "silent", instances: 1, since: 7 });
    assert.equal(answer.stages["email"]!.state, "slow");
    assert.deepEqual(answer.degraded, ["stage enrich", "stage email"]);
    const down = of(fine, [both[0]!, news("email", "outage")], ["enrich"], seen);
    assert.deepEqual(
      Object.values(down.stages).map(({ state }) => state),
      ["paused", "outage"],
    );
  });
  it("forgets an instance that fell silent", () => {
    const told = [both[0]!, news("email", "working", "n1", newsLastMs + 1)];
    assert.deepEqual(of(fine, told).stages["email"], { state: "absent", instances: 0 });
  });
  it("shows a paused stage as paused, and passes over stages that are not in the flow", () => {
    const answer = of(fine, [...both, news("source", "outage")], ["email", "source"]);
    assert.equal(answer.stages["email"]!.state, "paused");
    assert.deepEqual(Object.keys(answer.stages), ["enrich", "email"]);
  });
});
