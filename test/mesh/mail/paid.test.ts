import assert from "node:assert/strict";
import type { Knex } from "knex";
import type { ServiceSchema } from "moleculer";
import budget from "../../../services/budget/budget.service.ts";
import { driftOf, writeChoice } from "../../../services/budget/status.sql.ts";
import { dayOf, nextWindow } from "../../../services/budget/windows.ts";
import sender from "../../../services/email/sender.service.ts";
import { eventually } from "../../support/eventually.ts";
import { generous, operators, stages, startGateway, throughAllStages } from "../../support/gateway.ts";
import { mailSettings, statesIn, writeSome } from "../../support/mail.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { metricsUrl, scrape, sumOf } from "../../support/metrics.ts";
import { SendGrid, sendgridKey } from "../../support/providers/sendgrid.ts";

const price = 400;
const quickSender = { ...sender, settings: { leaseMs: 1_500, pollMs: 30 } as object };
const sendgridService = "services/sendgrid/sendgrid.service.ts";

describe("an e-mail that costs", function () {
  this.timeout(60_000);
  let sendgrid: SendGrid;
  let url: string;
  let mesh: TestMesh;
  let knex: Knex;
  beforeEach(async () => {
    sendgrid = new SendGrid();
    url = await sendgrid.open();
  });
  afterEach(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await sendgrid[Symbol.asyncDispose]();
  });

  const env = (more: Record<string, string>) =>
    mailSettings("", { LEADS_SENDGRID_KEY: sendgridKey, LEADS_SENDGRID_URL: url, ...more });
  const start = async (more: Record<string, string> = {}, ledger: ServiceSchema[] = [budget]) => {
    mesh = await startMesh({ services: [quickSender, sendgridService, ...ledger], env: env(more) });
    knex = mesh.resources.databases.of("acme");
  };
  const states = (expected: Record<string, number>) =>
    eventually(`the e-mails are ${JSON.stringify(expected)}`, async () => {
      assert.deepEqual(await statesIn(knex), expected);
      return true;
    });
  const entries = async () =>
    (await knex("budget_entries").orderBy(["effect_key", "run"])).map(
      ({ effect_key: key, run, state, cost_micro: cost, lead_id: leadId }) => ({
        key,
        run,
        state,
        cost: Number(cost),
        leadId,
      }),
    );
  const status = () => mesh.broker.call<any, object>("budget.status", { tenant: "acme" });

  it("is booked once, on its lead, however many go at once", async () => {
    await start();
    const mails = await writeSome(knex, 25);
    await states({ sent: 25 });
    const booked = await entries();
    assert.deepEqual(
      booked.map(({ leadId, ...rest }) => [leadId, rest]).sort(),
      mails
        .map(({ leadId, messageId }) => [
          leadId,
          { key: `sendgrid ${messageId.slice(1, messageId.indexOf("@"))} 1`, run: 1, state: "settled", cost: price },
        ])
        .sort(),
    );
    assert.equal(sendgrid.taken.length, 25);
    const { providers, today, open } = await status();
    assert.deepEqual([providers.sendgrid.spentMicro, today.spentMicro, open], [25 * price, 25 * price, 0]);
    assert.deepEqual(await driftOf(knex), []);
  });

  it("is given back where SendGrid has nothing of it, and spent where it may have", async () => {
    await start({ LEADS_MAIL_CONNECTIONS: "1" });
    sendgrid.faults.push(503, 400, "cut after", 500);
    await writeSome(knex, 5);
    await states({ sent: 2, failed: 1, unknown: 2 });
    const booked = await entries();
    assert.deepEqual(booked.map(({ state, cost, run }) => `${state} ${cost} ${run}`).sort(), [
      "released 0 1",
      ...Array.from({ length: 4 }, () => `settled ${price} 1`),
    ]);
    assert.equal(new Set(booked.map(({ key }) => key)).size, 5);
    assert.deepEqual(await driftOf(knex), []);
  });

  for (const overBudget of ["wait", "without"])
    it(`waits for the next day in its row where the day's money is spent, under \`${overBudget}\``, async () => {
      await start({
        LEADS_CAP_SENDGRID: String(3 * price + 399),
        LEADS_OVER_BUDGET: overBudget,
        LEADS_MAIL_CONNECTIONS: "1",
      });
      const tomorrow = nextWindow("day", dayOf(Date.now()));
      await writeSome(knex, 40);
      await eventually("three are sent, and none of the others is due", async () => {
        const others = await knex("outbox").whereNot({ state: "sent" });
        assert.deepEqual(
          others.map(({ state, reason, attempts, due_at: dueAt, lease_until: lease }) => [
            state,
            reason,
            attempts,
            dueAt.getTime(),
            lease,
          ]),
          Array.from({ length: 37 }, () => ["written", "over_budget", 0, tomorrow, null]),
        );
        return true;
      });
      assert.equal(sendgrid.taken.length, 3);
      assert.equal((await status()).today.spentMicro, 3 * price);
      const { samples } = await scrape(metricsUrl(mesh.broker));
      assert.equal(sumOf(samples, "leads_mail_total", { result: "unpaid" }), 1, "the first takes the others along");
      const dollars = sumOf(samples, "leads_provider_cost_dollars_total", { provider: "sendgrid" });
      assert.equal(Math.round(dollars * 1e6), 3 * price);
      // It is no fault: whoever may spend is not kept waiting.
      await writeChoice(knex, "rich", { providers: { sendgrid: 1_000_000 } });
      await writeSome(knex, 2, { tenant: "rich" });
      await states({ sent: 5, written: 37 });
      const [{ taken }] = await knex("mail_tenants").where({ tenant: "acme" }).select("taken");
      assert.equal(taken, 3, "what was not sent is not counted");

      // The next window.
      await writeChoice(knex, "acme", { providers: { sendgrid: 1_000_000 } });
      await knex("outbox").where({ state: "written" }).update({ due_at: knex.fn.now() });
      await states({ sent: 42 });
      assert.deepEqual(await knex("outbox").distinct().pluck("reason"), [null]);
      assert.equal(new Set(sendgrid.taken.map(({ headers }) => headers["Message-ID"])).size, 42);
      assert.deepEqual(await driftOf(knex), []);
    });

  for (const [what, choice] of [
    ["its tenant wants no waiting", { LEADS_CAP_SENDGRID: String(2 * price), LEADS_OVER_BUDGET: "complete" }],
    ["no day's money would do", { LEADS_CAP_SENDGRID: String(price - 1) }],
  ] as const)
    it(`ends unsent, and says so, where ${what}`, async () => {
      await using gateway = await startGateway({ services: ["services/email/email.service.ts"], env: env(choice) });
      const { secret } = await gateway.key("acme", "read");
      mesh = await startMesh({ services: [quickSender, sendgridService, budget], place: gateway, env: env(choice) });
      knex = mesh.resources.databases.of("acme");
      const sent = choice.LEADS_CAP_SENDGRID === String(2 * price) ? 2 : 0;
      await writeSome(knex, 6);
      await states({ ...(sent > 0 && { sent }), failed: 6 - sent });
      const answer = await fetch(`${gateway.url}/v1/outbox?state=failed`, {
        headers: { authorization: `Bearer ${secret}` },
      });
      const { items } = (await answer.json()) as { items: { reason: string; attempts: number }[] };
      assert.deepEqual(
        items.map(({ reason, attempts }) => [reason, attempts]),
        Array.from({ length: 6 - sent }, () => ["over_budget", 0]),
      );
      assert.equal(sendgrid.taken.length, sent);
    });

  it("is told of to who asks for its lead", async () => {
    const poor = { ...generous, ...env({ LEADS_CAP_SENDGRID: String(price), LEADS_OVER_BUDGET: "wait" }) };
    await using gateway = await startGateway({
      services: [...stages, ...operators, quickSender, sendgridService, budget],
      env: poor,
    });
    const { secret } = await gateway.key("acme", "ingest", "read");
    await throughAllStages(gateway, secret, { name: "Joe's Diner", email: "info@joes.example" });
    await eventually("the first is sent", () => sendgrid.taken.length === 1);
    const tomorrow = nextWindow("day", dayOf(Date.now()));
    const { id } = await throughAllStages(gateway, secret, { name: "Ann's Bakery", email: "info@anns.example" });
    const why = await eventually("it waits for money", async () => {
      const told = (await (await gateway.call(secret, `/v1/leads/${id}/why`)).json()) as any;
      return told.text.includes("over_budget") && told;
    });
    assert.deepEqual([why.where, why.waitsFor, why.until], ["ended", "its moment", tomorrow]);
    const { items } = (await (await gateway.call(secret, "/v1/outbox?state=written")).json()) as any;
    assert.deepEqual(
      items.map(({ leadId, dueAt, reason }: any) => [leadId, dueAt, reason]),
      [[id, tomorrow, "over_budget"]],
    );
  });

  for (const [what, brings, says] of [
    ["there is no ledger", false, /^the ledger: .*budget\.reserve/],
    ["the ledger's database is away", true, /^the ledger: .*postgres/],
  ] as const)
    it(`waits, and burns no try, while ${what}`, async () => {
      await start({}, []);
      await using broken = brings
        ? await startMesh({
            place: mesh,
            services: [budget],
            env: { LEADS_DATABASE_URL: "postgres://leads:none@127.0.0.1:1/leads" },
          })
        : undefined;
      if (broken) await mesh.broker.waitForServices("budget");
      await writeSome(knex, 3);
      await eventually("it says why", async () => {
        const { senders } = await mesh.broker.call<any, object>("sender.state", {});
        assert.match(senders[0].reason, says);
        return true;
      });
      await eventually("it is in nobody's hands", async () => {
        const rows = await knex("outbox").select("state", "attempts");
        assert.deepEqual(
          rows,
          Array.from({ length: 3 }, () => ({ state: "written", attempts: 0 })),
        );
        return true;
      });
      assert.equal(sendgrid.taken.length, 0);
      await broken?.stop();
      mesh.broker.createService(budget);
      await states({ sent: 3 });
      assert.deepEqual(
        (await entries()).map(({ run, state }) => [run, state]),
        Array.from({ length: 3 }, () => [1, "settled"]),
      );
    });

  it("asks no ledger where it costs nothing", async () => {
    await start({ LEADS_SENDGRID_PRICE: "0", LEADS_CAP_SENDGRID: "0" }, []);
    await writeSome(knex, 3);
    await states({ sent: 3 });
    assert.deepEqual(await entries(), []);
  });

  it("waits where an earlier reservation of the same try is still open, and is paid anew when that is closed", async () => {
    const swift = { ...budget, settings: { sweepMs: 50 } as object };
    mesh = await startMesh({ services: [sendgridService, swift], env: env({}) });
    knex = mesh.resources.databases.of("acme");
    const [mail] = await writeSome(knex, 1);
    // A reservation whose answer was lost on its way: no request was made.
    const effectKey = `sendgrid ${mail!.messageId.slice(1, mail!.messageId.indexOf("@"))} 1`;
    const order = { tenant: "acme", effectKey, provider: "sendgrid", amountMicro: price, essential: true };
    await mesh.broker.call("budget.reserve", { ...order, holdMs: 3_000 });
    mesh.broker.createService(quickSender);
    await eventually("it waits", async () => (await knex("outbox").first()).reason === "held");
    assert.equal(sendgrid.taken.length, 0);
    await states({ sent: 1 });
    assert.equal(sendgrid.taken.length, 1);
    assert.deepEqual(
      (await entries()).map(({ run, state, cost }) => [run, state, cost]),
      [
        [1, "presumed", price],
        [2, "settled", price],
      ],
    );
  });
});
