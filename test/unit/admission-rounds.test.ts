import assert from "node:assert/strict";
import { Rounds, room } from "../../services/admission/rounds.ts";

/** Lets leads in, a hundred a round every 50 ms, and counts who got how many; a tenant's backlog shrinks by what it gets. */
function play(rounds: Rounds, backlogs: Record<string, number>, ms: number, from = 0): Record<string, number> {
  const got: Record<string, number> = {};
  for (let now = from; now < from + ms; now += 50) {
    const waiting = new Map(Object.entries(backlogs).filter(([, envelopes]) => envelopes > 0));
    for (const [tenant, envelopes] of rounds.share(waiting, 500, now)) {
      rounds.moved(tenant, envelopes, envelopes * 50);
      backlogs[tenant]! -= envelopes;
      got[tenant] = (got[tenant] ?? 0) + envelopes * 50;
    }
  }
  return got;
}

describe("the rounds of admission", () => {
  it("give tenants with backlogs alike the same", () => {
    const got = play(new Rounds(), { a: 10_000, b: 9_000, c: 8_000 }, 20_000);
    const [least, , most] = Object.values(got).sort((x, y) => x - y) as [number, number, number];
    assert.ok(most - least <= 100 && least > 50_000, JSON.stringify(got));
  });

  it("give a tenant that comes later more at first, and never less than half, beside a large one", () => {
    const rounds = new Rounds();
    play(rounds, { large: 20_000 }, 10_000);
    const first = play(rounds, { large: 20_000, small: 2_000 }, 1_000, 10_000);
    assert.ok((first["small"] ?? 0) > 0.9 * 10_000, JSON.stringify(first));
    const later = play(rounds, { large: 20_000, small: 2_000 }, 5_000, 20_000);
    assert.ok(later["small"]! / (later["small"]! + later["large"]!) >= 0.5, JSON.stringify(later));
  });

  it("starve nobody, however many come", () => {
    const rounds = new Rounds();
    play(rounds, { large: 50_000 }, 5_000);
    const backlogs: Record<string, number> = { large: 50_000 };
    let got = 0;
    for (let n = 0; n < 40; n++) {
      backlogs[`t${n}`] = 100;
      got += play(rounds, backlogs, 1_000, 5_000 + n * 1_000)["large"] ?? 0;
    }
    assert.ok(got > 40_000, `the large tenant got ${got} of 400,000 leads while forty others came and went`);
  });

  it("let in an envelope where a round has less than one for each", () => {
    assert.deepEqual(
      new Rounds().share(
        new Map([
          ["a", 5],
          ["b", 5],
        ]),
        10,
        0,
      ),
      new Map([["a", 1]]),
    );
  });

  it("give the others what a tenant's backlog leaves of its share", () => {
    const shares = new Rounds().share(new Map(Object.entries({ a: 1, b: 1, large: 1_000 })), 3_200, 0);
    assert.deepEqual(Object.fromEntries(shares), { a: 1, b: 1, large: 62 });
  });

  it("share out nothing that is not there", () => {
    assert.deepEqual(new Rounds().share(new Map([["a", 2]]), 5_000, 0), new Map([["a", 2]]));
  });
});

describe("the room in the mailboxes", () => {
  it("is half a second of work, less what is there", () => {
    assert.equal(room(0, 1_000, 20_000), 500);
    assert.equal(room(400, 1_000, 20_000), 100);
    assert.equal(room(600, 1_000, 20_000), 0);
  });
  it("is never so small that a stage would wait, nor more than half of a mailbox", () => {
    assert.equal(room(0, 0, 20_000), 64);
    assert.equal(room(0, 100_000, 20_000), 10_000);
    assert.equal(room(0, 0, 1), 1);
  });
});
