import assert from "node:assert/strict";
import type { Knex } from "knex";
import { openDatabase } from "../../../mixins/knex.ts";
import sender from "../../../services/email/sender.service.ts";
import { eventually } from "../../support/eventually.ts";
import { Mailbox, mailSettings, statesIn, writeSome } from "../../support/mail.ts";
import { startMesh } from "../../support/mesh.ts";
import { startProxy, type Proxy as Way } from "../../support/proxy.ts";
import { type TestPlace, testPlace } from "../../support/servers.ts";

/** The advisory lock that holds a commit inside the database. */
const lock = 4712;

describe("a sender that is not answered whether its e-mails are marked as being sent", function () {
  this.timeout(60_000);
  let box: Mailbox;
  let place: TestPlace;
  let way: Way;
  let knex: Knex;
  beforeEach(async () => {
    box = await Mailbox.open();
    place = await testPlace(mailSettings(box.url));
    way = await startProxy(place.settings.databaseUrl);
    knex = openDatabase({ ...place.settings, databasePool: 3 });
  });
  afterEach(async () => {
    await knex?.destroy();
    await way?.[Symbol.asyncDispose]();
    await box?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });
  const waiting = (event: string) =>
    eventually(`somebody waits for ${event}`, async () => {
      const { rows } = await knex.raw(
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and wait_event = ?",
        [event],
      );
      return rows.length > 0;
    });

  it("waits for the commit, takes them back, and sends each once", async () => {
    await knex.raw(`
      create function hold() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock(${lock}); return new; end $$;
      create constraint trigger hold after update on outbox deferrable initially deferred
        for each row when (new.state = 'sending') execute function hold();`);
    const holder = await knex.transaction();
    await holder.raw(`select pg_advisory_xact_lock(${lock})`);
    await writeSome(knex, 5);
    await using _sending = await startMesh({
      services: [{ ...sender, settings: { leaseMs: 30_000, pollMs: 30 } as object }, "services/smtp/smtp.service.ts"],
      place,
      env: { LEADS_DATABASE_URL: way.url },
    });
    await waiting("advisory");
    // The connections end with nobody answered; the server does not notice, as its session waits.
    way.cut();
    way.restore();
    await waiting("transactionid");
    await holder.commit();
    await eventually("all are sent", async () => (await statesIn(knex))["sent"] === 5);
    assert.equal(box.received.length, 5);
    assert.equal(box.counts.size, 5);
    assert.deepEqual(await knex("outbox").pluck("attempts"), Array(5).fill(1));
    assert.equal((await knex("mail_tenants").first()).taken, 5);
  });
});
