import assert from "node:assert/strict";
import { bySeniority, decide, type Link, type Member, type Standing } from "../../../services/dedupe/decide.ts";

const member = (leadId: string, acceptedAt = 0, standing: Standing = "arrived"): Member => ({
  leadId,
  acceptedAt,
  standing,
});
const link = (a: string, b: string, kind = "phone_name", weight = 10): Link => ({ a, b, kinds: [kind], weight });

describe("deciding who stays", () => {
  const pairs: [string, Member, Member][] = [
    ["the ended before one under way that is older", member("b", 9, "ended"), member("a", 1, "under_way")],
    ["one under way before an older arrival", member("b", 9, "under_way"), member("a", 1, "arrived")],
    ["whoever moves before an older one that is dead", member("b", 9, "arrived"), member("a", 1, "stopped")],
    ["the one accepted first", member("b", 1), member("a", 9)],
    ["the smaller id of equals", member("a"), member("b")],
  ];
  for (const [what, stays, loses] of pairs) {
    it(`keeps ${what}`, () => {
      assert.ok(bySeniority(stays, loses) < 0);
      assert.ok(bySeniority(loses, stays) > 0);
    });
  }

  it("joins chains of links, and says what ties each loser", () => {
    const members = ["d", "c", "b", "a", "x", "y", "alone"].map((id, n) => member(id, id === "c" ? -1 : n));
    const links = [
      link("a", "b"),
      link("c", "d", "email_name"),
      link("b", "c", "domain_name"),
      link("y", "x"),
      link("x", "y", "source"),
    ];
    const clusters = decide(members, links).clusters.map(({ winner, losers }) => ({
      winner: winner.leadId,
      losers: losers.map(({ member: { leadId }, kinds }) => [leadId, kinds]),
    }));
    assert.deepEqual(clusters, [
      {
        winner: "c",
        losers: [
          ["d", ["email_name"]],
          ["b", ["domain_name", "phone_name"]],
          ["a", ["phone_name"]],
        ],
      },
      { winner: "x", losers: [["y", ["phone_name", "source"]]] },
    ]);
  });

  it("finds the same clusters whatever the order of members and links", () => {
    const members = Array.from({ length: 60 }, (_, n) => member(`m${n}`, n % 7));
    const links = Array.from({ length: 45 }, (_, n) => link(`m${(n * 17) % 60}`, `m${(n * 29 + 5) % 60}`));
    const shape = (m: Member[], l: Link[]) =>
      decide(m, l)
        .clusters.map(({ winner, losers }) => [winner.leadId, ...losers.map((x) => x.member.leadId)].join(" "))
        .sort();
    const expected = shape(members, links);
    assert.ok(expected.length > 1);
    assert.deepEqual(shape(members.toReversed(), links.toReversed()), expected);
    assert.deepEqual(
      shape(
        members,
        links.map(({ a, b }) => link(b, a)),
      ),
      expected,
    );
  });

  it("keeps apart what a person has, however others tie it, and lets a lead go with the one it resembles more", () => {
    const members = ["a", "b", "c", "d"].map((id, n) => member(id, n));
    const links = [link("a", "c", "x", 10), link("b", "c", "x", 12), link("c", "d", "x", 11), link("a", "d", "x", 9)];
    const apart = [["b", "a"]] as const;
    for (const order of [links, links.toReversed()]) {
      const { clusters, refused } = decide(members, order, apart);
      assert.deepEqual(
        clusters.map(({ winner, losers }) => [winner.leadId, ...losers.map((x) => x.member.leadId)]),
        [["b", "c", "d"]],
      );
      assert.deepEqual(
        refused.map(({ a, b }) => [a, b]),
        [
          ["a", "c"],
          ["a", "d"],
        ],
      );
    }
    assert.equal(decide(members, links, []).clusters[0]!.losers.length, 3);
  });

  it("lets nobody win among leads that are all dead", () => {
    const members = [member("a", 1, "stopped"), member("b", 2, "stopped"), member("c", 3, "stopped"), member("d")];
    const links = [link("a", "b"), link("c", "d")];
    const clusters = decide(members, links).clusters.map(({ winner, losers }) => [winner.leadId, losers.length]);
    assert.deepEqual(clusters, [["d", 1]]);
  });

  it("stays fast on a chain of 100,000 links", () => {
    const members = Array.from({ length: 100_001 }, (_, n) => member(`${n}`, n));
    const links = Array.from({ length: 100_000 }, (_, n) => link(`${n + 1}`, `${n}`));
    const [cluster, ...others] = decide(members, links).clusters;
    assert.deepEqual([cluster!.winner.leadId, cluster!.losers.length, others.length], ["0", 100_000, 0]);
  }).timeout(5_000);
});
