import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Databases } from "../../../mixins/knex.ts";
import { capsOf } from "../../../services/budget/caps.ts";
import { close, expired } from "../../../services/budget/closings.sql.ts";
import { Ledger, type LevelReached, type Reservation } from "../../../services/budget/ledger.ts";
import { driftOf, windowsOf, writeChoice } from "../../../services/budget/status.sql.ts";
import { Sweeper } from "../../../services/budget/sweeper.ts";
import { eventually } from "../../support/eventually.ts";
import { type TestPlace, testPlace } from "../../support/servers.ts";

const dayAt = Date.UTC(2026, 10, 23, 23, 59, 59);
const usd = 1_000_000;

describe("the ledger", () => {
  let place: TestPlace;
  let databases: Databases;
  let clock = dayAt;
  let reached: LevelReached[] = [];
  let ledger: Ledger;

  before(async function () {
    this.timeout(60_000);
    place = await testPlace();
    databases = new Databases(place.settings);
  });
  beforeEach(() => {
    clock = dayAt;
    reached = [];
    ledger = new Ledger({
      databases,
      caps: capsOf(place.settings),
      onLevel: (one) => reached.push(one),
      now: () => clock,
    });
  });
  afterEach(async () => assert.deepEqual(await driftOf(databases.of("")), [], "every sum is that of its entries"));
  after(async () => {
    await databases?.close();
    await place?.[Symbol.asyncDispose]();
  });

  /** A tenant of the test's own, and a short way to reserve. */
  function tenantOf() {
    const tenant = `t-${randomUUID().slice(0, 8)}`;
    const ask = (effectKey: string, amountMicro: number, more: object = {}) =>
      ledger.reserve({ tenant, effectKey, amountMicro, provider: "llm", essential: true, holdMs: 50_000, ...more });
    const granted = async (...args: Parameters<typeof ask>) => {
      const taken = await ask(...args);
      assert.equal(taken.kind, "granted");
      return { tenant, effectKey: args[0], ...(taken as Extract<Reservation, { kind: "granted" }>) };
    };
    const windows = async (day = "2026-11-23") =>
      Object.fromEntries(
        (await windowsOf(databases.of(tenant), day, tenant)).map((w) => [
          `${w.period} ${w.provider}`.trim(),
          [w.reservedMicro, w.spentMicro],
        ]),
      );
    return { tenant, ask, granted, windows };
  }

  it("reserves in the day, the month and the provider's day, and settles what it did cost", async () => {
    const { granted, windows } = tenantOf();
    const one = await granted("one", 3 * usd);
    assert.deepEqual(await windows(), { day: [3 * usd, 0], "day llm": [3 * usd, 0], month: [3 * usd, 0] });
    const closed = await ledger.settle({ ...one, costMicro: 2 * usd });
    assert.deepEqual(closed, { changed: true, state: "settled", costMicro: 2 * usd, reservedMicro: 3 * usd });
    assert.deepEqual(await windows(), { day: [0, 2 * usd], "day llm": [0, 2 * usd], month: [0, 2 * usd] });
  });

  it("books an effect once, however often it is reserved and settled", async () => {
    const { ask, granted, windows } = tenantOf();
    const one = await granted("one", usd);
    await ledger.settle({ ...one, answer: { found: 1 } });
    const again = await ledger.settle({ ...one, costMicro: 9 * usd, answer: { found: 2 } });
    assert.deepEqual([again.changed, again.costMicro], [false, usd]);
    assert.equal((await ledger.release(one)).changed, false);
    assert.deepEqual(await ask("one", usd), { kind: "booked", costMicro: usd, answer: { found: 1 } });
    assert.deepEqual(await ask("one", usd, { repeatable: true }), {
      kind: "booked",
      costMicro: usd,
      answer: { found: 1 },
    });
    assert.deepEqual((await windows())["day"], [0, usd]);
  });

  it("gives back what was released, and lets the same effect be tried again", async () => {
    const { granted, windows } = tenantOf();
    const one = await granted("one", usd);
    await ledger.release(one);
    assert.deepEqual((await windows())["day"], [0, 0]);
    const two = await granted("one", usd);
    assert.notEqual(two.reservation, one.reservation);
    assert.equal((await ledger.settle(one)).state, null, "who gave it back holds it no more");
    await ledger.settle(two);
    assert.deepEqual((await windows())["day"], [0, usd]);
  });

  it("tells a second caller that another is at it, and until when", async () => {
    const { ask, granted } = tenantOf();
    await granted("one", usd);
    const second = await ask("one", usd);
    assert.equal(second.kind, "held");
    assert.ok((second as { until: number }).until > Date.now());
  });

  it("lets twenty callers with one key through once", async () => {
    const { ask, windows } = tenantOf();
    const all = await Promise.all(Array.from({ length: 20 }, () => ask("one", usd)));
    assert.deepEqual(all.map(({ kind }) => kind).sort(), ["granted", ...Array(19).fill("held")]);
    assert.deepEqual((await windows())["day"], [usd, 0]);
  });

  it("fills a cap to the last micro-USD, and not one further", async () => {
    const { ask, granted } = tenantOf();
    await granted("most", 20 * usd - 1);
    const over = (await ask("two", 2)) as Extract<Reservation, { kind: "over" }>;
    assert.equal(over.kind, "over");
    assert.deepEqual(over.full, [{ period: "day", provider: "llm", usedMicro: 20 * usd - 1, capMicro: 20 * usd }]);
    assert.equal(over.until, Date.UTC(2026, 10, 24));
    await granted("last", 1);
    assert.equal((await ask("none", 1)).kind, "over");
    await granted("free", 0);
  });

  it("warns at 75 %, stops what is not essential at 90 %, stops all at 100 %, and tells each once", async () => {
    const { ask, granted } = tenantOf();
    const told = () => reached.filter((r) => r.provider === "llm").map((r) => r.level);
    await granted("a", 14 * usd);
    assert.deepEqual(told(), []);
    await granted("b", 1 * usd);
    assert.deepEqual(told(), [75]);
    await granted("c", 3 * usd, { essential: false });
    assert.deepEqual(told(), [75, 90]);
    assert.equal((await ask("d", 1, { essential: false })).kind, "over");
    await granted("e", 2 * usd);
    assert.equal((await ask("f", 1)).kind, "over");
    assert.equal((await ask("g", 1)).kind, "over");
    assert.deepEqual(told(), [75, 90, 100]);
  });

  it("tells that what is not essential stops when the first such call is refused, below 90 % too", async () => {
    const { ask, granted } = tenantOf();
    await granted("a", 17 * usd);
    assert.equal((await ask("b", 2 * usd, { essential: false })).kind, "over");
    assert.deepEqual(
      reached.filter((r) => r.provider === "llm").map((r) => r.level),
      [75, 90],
    );
  });

  it("tells no level because of a call that is too large, and still warns at 75 %", async () => {
    const { ask, granted } = tenantOf();
    const told = () => reached.filter((r) => r.provider === "llm").map((r) => r.level);
    assert.equal((await ask("a", 21 * usd)).kind, "over");
    await granted("b", 10 * usd);
    assert.equal((await ask("c", 11 * usd, { essential: false })).kind, "over");
    assert.deepEqual(told(), []);
    await granted("d", 5 * usd);
    assert.deepEqual(told(), [75]);
  });

  it("finds all holders that died in one look, however many they are", async () => {
    const { tenant, granted, windows } = tenantOf();
    await Promise.all(Array.from({ length: 150 }, (_, n) => granted(`lost ${n}`, 10, { holdMs: 1 })));
    const sweeper = new Sweeper({
      databases,
      everyMs: 60_000,
      fate: async ({ effectKey }) => (effectKey.endsWith("7") ? 4 : null),
      onFound: () => {},
      onFault: assert.fail,
    });
    await eventually("they are overdue", async () => (await expired(databases.of(tenant), 1_000)).length >= 150);
    await sweeper.look();
    assert.deepEqual((await windows())["day"], [0, 15 * 4 + 135 * 10]);
  });

  it("begins anew at midnight UTC, while the month goes on", async () => {
    const { ask, granted, windows } = tenantOf();
    const late = await granted("late", 20 * usd);
    assert.equal((await ask("more", 1)).kind, "over");
    clock += 1_000;
    await granted("early", 20 * usd);
    await ledger.settle(late);
    assert.deepEqual(await windows("2026-11-23"), {
      day: [0, 20 * usd],
      "day llm": [0, 20 * usd],
      month: [20 * usd, 20 * usd],
    });
    assert.deepEqual((await windows("2026-11-24"))["day"], [20 * usd, 0]);
  });

  it("keeps tenants apart, and to what each has chosen", async () => {
    const [rich, poor] = [tenantOf(), tenantOf()];
    await writeChoice(databases.of(poor.tenant), poor.tenant, { dayMicro: 10, overBudget: "complete" });
    await rich.granted("one", 5 * usd);
    await poor.granted("one", 10);
    const over = (await poor.ask("two", 1)) as Extract<Reservation, { kind: "over" }>;
    assert.deepEqual([over.kind, over.overBudget], ["over", "complete"]);
    const never = (await poor.ask("three", 11)) as Extract<Reservation, { kind: "over" }>;
    assert.equal(never.until, null, "it would not fit into an empty day either");
  });

  it("takes a holder that died for having spent, until it proves to be alive", async () => {
    const { tenant, ask, granted, windows } = tenantOf();
    const one = await granted("one", usd, { holdMs: 1 });
    const lost = await eventually("it expires", async () =>
      (await expired(databases.of(tenant), 100)).find((e) => e.tenant === tenant),
    );
    const presume = async () => {
      const closing = { ...lost, state: "presumed", costMicro: null, by: "presumption", answer: undefined } as const;
      return (await close(databases.of(tenant), tenant, [closing]))[0]!;
    };
    assert.equal((await presume()).changed, true);
    assert.equal((await presume()).changed, false);
    assert.deepEqual((await windows())["day"], [0, usd]);
    const two = await granted("one", usd);
    assert.equal(two.run, 2, "done again, and counted as such");
    assert.deepEqual((await windows())["day"], [usd, usd]);
    assert.equal((await ask("one", usd)).kind, "held");
    assert.equal((await ledger.settle({ ...one, costMicro: 400_000 })).changed, true);
    await ledger.settle(two);
    assert.deepEqual((await windows())["day"], [0, 1_400_000]);
  });

  it("buys again what was paid and kept nowhere, where the caller may", async () => {
    const { ask, granted, windows } = tenantOf();
    await ledger.settle(await granted("one", usd));
    assert.deepEqual(await ask("one", usd), { kind: "booked", costMicro: usd, answer: null });
    const two = await granted("one", usd, { repeatable: true });
    assert.equal(two.run, 2);
    await ledger.settle({ ...two, answer: [1] });
    assert.deepEqual((await windows())["day"], [0, 2 * usd]);
  });

  it("keeps an answer that is null nowhere: the effect can be bought again", async () => {
    const { granted, windows } = tenantOf();
    await ledger.settle({ ...(await granted("one", usd)), answer: null });
    const again = await granted("one", usd, { repeatable: true });
    assert.equal(again.run, 2);
    await ledger.settle({ ...again, answer: {} });
    assert.deepEqual((await windows())["day"], [0, 2 * usd]);
  });

  it("decides what is asked all at once as if one came after another", async () => {
    const { tenant, ask, windows } = tenantOf();
    const capMicro = 20 * usd;
    const asked = Array.from({ length: 400 }, (_, n) => ({
      amountMicro: 1 + ((n * 79_193) % 400_000),
      essential: n % 3 > 0,
    }));
    const all = await Promise.all(asked.map(({ amountMicro, ...more }, n) => ask(`one ${n}`, amountMicro, more)));
    const sum = (of: (n: number) => boolean) => asked.reduce((micro, a, n) => micro + (of(n) ? a.amountMicro : 0), 0);
    const used = sum((n) => all[n]!.kind === "granted");
    assert.deepEqual(await windows(), { day: [used, 0], "day llm": [used, 0], month: [used, 0] });
    assert.ok(used <= capMicro);
    for (const [n, { kind }] of all.entries()) {
      const { amountMicro, essential } = asked[n]!;
      const room = essential ? capMicro : capMicro * 0.9;
      // What is used only grows: who was refused would not fit at the end either.
      if (kind !== "granted") assert.deepEqual([kind, used + amountMicro > room], ["over", true]);
    }
    assert.ok(sum((n) => all[n]!.kind === "over") > 0, "there was not room for all");
    const told = reached.filter((r) => r.tenant === tenant && r.provider === "llm").map((r) => r.level);
    assert.deepEqual(told, [75, 90, 100]);
  });

  it("waits for no window where nothing costs", async () => {
    const { tenant, ask, granted, windows } = tenantOf();
    await granted("paid", usd);
    await databases.of(tenant).transaction(async (trx) => {
      await trx("budget_windows").where({ tenant }).forUpdate();
      const free = await granted("free", 0);
      assert.equal((await ledger.settle({ ...free, answer: { fast: true } })).changed, true);
      assert.deepEqual(await ask("free", 0), { kind: "booked", costMicro: 0, answer: { fast: true } });
    });
    assert.deepEqual((await windows())["day"], [usd, 0]);
  });

  it("books what was to be free and did cost", async () => {
    const { granted, windows } = tenantOf();
    await ledger.settle({ ...(await granted("free", 0)), costMicro: 5 });
    assert.deepEqual(await windows(), { day: [0, 5], "day llm": [0, 5], month: [0, 5] });
  });

  it("settles all others of those that come at once, where the answer of one cannot be kept", async () => {
    const { granted, windows } = tenantOf();
    const all = await Promise.all(Array.from({ length: 10 }, (_, n) => granted(`one ${n}`, 10)));
    const settled = await Promise.allSettled(
      all.map((one, n) => ledger.settle({ ...one, answer: n === 5 ? "\u0000" : "kept" })),
    );
    assert.deepEqual(
      settled.map(({ status }) => status),
      Array.from({ length: 10 }, (_, n) => (n === 5 ? "rejected" : "fulfilled")),
    );
    assert.deepEqual((await windows())["day"], [10, 90]);
  });
});
