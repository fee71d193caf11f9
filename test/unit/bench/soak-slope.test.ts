import assert from "node:assert/strict";
import { type Ending, judge } from "../../../bench/soak/judge.ts";
import { slopeOf } from "../../../bench/soak/slope.ts";
import type { Minute } from "../../../bench/soak/watch.ts";
import { Random } from "../../../bin/demo/random.ts";

const line = (minutes: number, value: (minute: number) => number) =>
  Array.from({ length: minutes }, (_, n) => [n + 11, value(n)] as const);

/** A soak of an hour in which one process holds so much at each minute. */
function soak(memory: (minute: number) => number, pid: (minute: number) => number = () => 1): Minute[] {
  return Array.from({ length: 60 }, (_, n) => ({
    ...{ minute: n + 1, seconds: 60, fault: "", struck: true as const, sent: 10, accepted: 10, errors: 0 },
    ...{ api: null, endToEnd: null, acceptedInAll: 10, endedInAll: 10, open: 0, oldestSeconds: 0 },
    ...{ mails: 0, doubledMails: 0, streams: {}, databaseBytes: 0 },
    processes: { score: { pid: pid(n), memoryBytes: memory(n), descriptors: 30 } },
  }));
}

const well: Ending = { lost: [], deadLetters: 0, doubledMails: 0, conserved: true, cameToRest: true };
const fails = (minutes: Minute[], ending = well) =>
  judge(minutes, 1_000, ending).flatMap(({ figure, holds }) =>
    holds === false ? [figure.replace(/, over.*/, "")] : [],
  );

describe("the slope of a soak", () => {
  it("is that of the line, an hour, as a share of where the line begins", () => {
    const slope = slopeOf(line(30, (n) => 200 + n))!;
    assert.ok(Math.abs(slope.perHour - 60 / 200) < 1e-9);
    assert.ok(slope.give < 1e-6);
  });

  it("is as unsure as the values are scattered: the interval holds the true slope", () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = new Random(`slope ${seed}`);
      const { perHour, give } = slopeOf(line(50, (n) => 200 + n + (random.next() - 0.5) * 20))!;
      // 95 % of the time within the interval: within twice of it, always.
      assert.ok(Math.abs(perHour - 60 / 200) < 2 * give, `seed ${seed}: ${perHour} +- ${give}`);
    }
  });

  it("is none of fewer than ten values", () => {
    assert.equal(slopeOf(line(9, () => 1)), null);
  });
});

describe("the verdict of a soak", () => {
  it("finds a leak of a few per cent an hour, and none in a sawtooth", () => {
    assert.deepEqual(fails(soak((n) => 150 * (1 + (0.1 * n) / 60))), ["memory of score"]);
    assert.deepEqual(fails(soak((n) => 150 + (n % 4) * 5)), []);
  });

  it("finds one that comes late, and so steeply that the line through it begins below nothing", () => {
    assert.deepEqual(fails(soak((n) => (n < 55 ? 150 : 2_000))), ["memory of score"]);
  });

  it("does not take the warming up for a leak", () => {
    assert.deepEqual(fails(soak((n) => (n < 10 ? 100 + n * 10 : 200))), []);
  });

  it("looks at a process that was started anew from then on", () => {
    assert.deepEqual(
      fails(
        soak(
          (n) => (n < 40 ? 100 : 300),
          (n) => (n < 40 ? 1 : 2),
        ),
      ),
      [],
    );
  });

  it("fails where nothing can be judged: it was too short, or a process was started anew at its end, as one that leaks is", () => {
    const short = soak((n) => 150 * 2 ** n).slice(0, 19);
    assert.deepEqual(fails(short), ["processes whose growth can be judged"]);
    const dying = soak(
      (n) => 150 + (n % 9) * 500,
      (n) => Math.floor(n / 9),
    );
    assert.deepEqual(fails(dying), ["processes whose growth can be judged"]);
  });

  it("fails with a lost lead, an e-mail sent twice, a dead letter, and where conservation does not hold", () => {
    const minutes = soak(() => 150);
    assert.deepEqual(fails(minutes, { ...well, lost: ["a"] }), ["leads lost"]);
    assert.deepEqual(fails(minutes, { ...well, conserved: false }), ["leads lost"]);
    assert.deepEqual(fails(minutes, { ...well, cameToRest: false }), ["came to rest within ten minutes"]);
    assert.deepEqual(fails(minutes, { ...well, doubledMails: 1 }), ["e-mails sent twice"]);
    assert.deepEqual(fails(minutes, { ...well, deadLetters: 1 }), ["dead letters"]);
  });
});
