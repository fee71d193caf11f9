import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import type { Knex } from "knex";
import { openDatabase } from "../../../mixins/knex.ts";
import { settleUnknown } from "../../../services/email/fates.sql.ts";
import { eventually } from "../../support/eventually.ts";
import { kill9, Mailbox, mailSettings, startSender, statesIn, writeSome } from "../../support/mail.ts";
import { type TestPlace, testPlace } from "../../support/servers.ts";

const inFlight = 200;
/** The advisory lock that holds a statement of the sender inside the database. */
const lock = 4711;

describe("a sender that is killed", function () {
  this.timeout(120_000);
  let box: Mailbox;
  let place: TestPlace;
  let knex: Knex;
  let child: ChildProcess | undefined;

  beforeEach(async () => {
    box = await Mailbox.open();
    place = await testPlace(mailSettings(box.url, { LEADS_MAIL_CONNECTIONS: String(inFlight) }));
    knex = openDatabase({ ...place.settings, databasePool: 4 });
  });
  afterEach(async () => {
    if (child) await kill9(child);
    await knex?.destroy();
    await box?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });

  /** Lets the change of an e-mail to this state wait inside the database. */
  async function holdState(state: string): Promise<() => Promise<void>> {
    await knex.raw(`
      create function hold() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock(${lock}); return new; end $$;
      create trigger hold before update on outbox for each row when (new.state = '${state}') execute function hold();`);
    const holder = await knex.transaction();
    await holder.raw(`select pg_advisory_xact_lock(${lock})`);
    await knex.raw("select 1");
    return async () => {
      // The process is gone: so is its statement, which would commit for nobody.
      await knex.raw(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'",
      );
      await knex.raw("drop trigger hold on outbox; drop function hold").catch(() => {});
      await holder.rollback();
    };
  }
  const someoneWaits = async () => {
    const { rows } = await knex.raw(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'advisory'",
    );
    return rows.length > 0;
  };

  /** Every e-mail is sent and was taken once, or is listed as unknown and was taken once at the most. */
  async function nothingTwiceNothingUnseen(): Promise<string[]> {
    const rows = await knex("outbox").select("lead_id", "message_id", "state");
    const { counts } = box;
    for (const { message_id: id, state } of rows) {
      const taken = counts.get(id) ?? 0;
      assert.ok(state === "sent" ? taken === 1 : state === "unknown" && taken <= 1, `${state}, taken ${taken} times`);
    }
    assert.equal(rows.length, inFlight);
    return rows.filter(({ state }) => state === "unknown").map(({ lead_id: leadId }) => leadId);
  }

  /** What an operator does: looks into the server's list, and says. Then everything was taken once. */
  async function settleByTheServersList(unknown: string[]): Promise<void> {
    const rows = await knex("outbox").select("lead_id", "message_id").whereIn("lead_id", unknown);
    for (const { lead_id: leadId, message_id: id } of rows) {
      const as = box.counts.has(id) ? "sent" : "not_sent";
      assert.equal(await settleUnknown(knex, { tenant: "acme", leadId }, as), "settled");
    }
    await eventually("everything is sent", async () => (await statesIn(knex))["sent"] === inFlight, {
      withinMs: 30_000,
    });
    assert.equal(box.received.length, inFlight);
    assert.equal(box.counts.size, inFlight);
  }

  const quiet = async () => {
    const states = await statesIn(knex);
    return (states["sent"] ?? 0) + (states["unknown"] ?? 0) === inFlight;
  };

  const steps: {
    where: string;
    hold: () => Promise<() => Promise<void>>;
    reached: () => Promise<boolean> | boolean;
    unknown: number;
    taken: number;
  }[] = [
    {
      where: "between the claim and the word that it sends",
      hold: () => holdState("sending"),
      reached: someoneWaits,
      unknown: 0,
      taken: 0,
    },
    ...(
      [
        ["between that word and the server's greeting", "greeting", 0],
        ["between the envelope and the content", "recipient", 0],
        ["between the content and the server's answer", "answer", inFlight],
      ] as const
    ).map(([where, step, taken]) => ({
      where,
      hold: async () => {
        box.hold(step);
        return async () => box.letGo();
      },
      reached: () => box.held === inFlight,
      unknown: inFlight,
      taken,
    })),
    {
      where: "between the server's answer and the mark",
      hold: () => holdState("sent"),
      reached: async () => box.received.length === inFlight && (await someoneWaits()),
      unknown: inFlight,
      taken: inFlight,
    },
  ];
  for (const { where, hold, reached, unknown, taken } of steps) {
    it(`${where}, with ${inFlight} in flight, sends none twice and loses none unseen`, async () => {
      await writeSome(knex, inFlight);
      const letGo = await hold();
      child = await startSender(place.settings);
      await eventually("the step is reached", reached, { withinMs: 30_000 });
      await kill9(child);
      assert.equal(box.received.length, taken);
      await letGo();
      child = await startSender(place.settings);
      await eventually("all is sent or unknown", quiet, { withinMs: 30_000 });
      const unknowns = await nothingTwiceNothingUnseen();
      assert.equal(unknowns.length, unknown);
      await settleByTheServersList(unknowns);
    });
  }

  const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  it(`again and again at any moment sends none twice and loses none unseen (TEST_SEED=${seed})`, async () => {
    const random = mulberry32(seed);
    box.delay = () => random() * 40;
    const settings = { ...place.settings, mailConnections: 20 };
    await writeSome(knex, inFlight);
    for (let kills = 0; kills < 6; kills++) {
      child = await startSender(settings);
      const enough = box.received.length + Math.floor(random() * 30);
      await eventually("some more are taken", async () => box.received.length >= enough || (await quiet()));
      await kill9(child);
    }
    child = await startSender(settings);
    await eventually("all is sent or unknown", quiet, { withinMs: 30_000 });
    const unknowns = await nothingTwiceNothingUnseen();
    assert.ok(unknowns.length <= 6 * 20, `${unknowns.length} unknown`);
    await settleByTheServersList(unknowns);
  });
});

/** A small generator of random numbers that a seed replays. */
function mulberry32(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
