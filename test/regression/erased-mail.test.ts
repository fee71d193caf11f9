import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { openDatabase, transaction } from "../../mixins/knex.ts";
import { type ClaimOptions, claimDue, markSending } from "../../services/email/claims.sql.ts";
import { applyEvent } from "../../services/email/events.sql.ts";
import { settleFates, settleUnknown } from "../../services/email/fates.sql.ts";
import { begin } from "../../services/leads/erase.sql.ts";
import { insertLeads } from "../../services/leads/record.ts";
import { eventually } from "../support/eventually.ts";
import { aLead } from "../support/leads.ts";
import { writeSome } from "../support/mail.ts";
import { type TestPlace, testPlace } from "../support/servers.ts";

describe("the e-mail of a person who was erased while it was under way", function () {
  this.timeout(60_000);
  let place: TestPlace;
  let knex: Knex;
  const tenant = "acme";
  const options = (): ClaimOptions => ({
    holder: randomUUID(),
    leaseMs: 30_000,
    hands: 10,
    perMinute: 1_000,
    quiet: undefined,
    timeZone: "America/Chicago",
    perDay: 1_000,
  });
  before(async () => {
    place = await testPlace();
    knex = openDatabase(place.settings);
  });
  after(async () => {
    await knex?.destroy();
    await place?.[Symbol.asyncDispose]();
  });
  beforeEach(() => knex.raw("truncate outbox, mail_claims, mail_tenants, mail_pace, leads, erasures, tombstones"));

  /** An e-mail that a sender hands over, whose lead is erased then. */
  async function handedAndErased() {
    const [mail] = await writeSome(knex, 1);
    const { leadId } = mail!;
    await transaction(knex, (trx) => insertLeads(trx, "dedupe", [aLead({ leadId })]));
    const claim = options();
    await claimDue(knex, claim);
    const [handed] = await markSending(knex, claim.holder, claim.leaseMs);
    const erasure = { tenant, leadId, erasureId: randomUUID(), leaseMs: 1_000, known: false };
    assert.ok(await transaction(knex, (trx) => begin(trx, erasure)));
    return handed!;
  }
  /** How it stands, and that everybody else's e-mail goes on. */
  async function stands() {
    const row = await knex("outbox").where({ recipient: "" }).first();
    await knex("outbox").where({ recipient: "" }).update({ due_at: knex.fn.now() });
    await writeSome(knex, 1);
    // Its domain has reserved a moment for it, some milliseconds on.
    await eventually("the other one is claimed", async () => (await claimDue(knex, options())).claimed === 1);
    return [row.state, row.reason, row.domain];
  }

  it("is tried no more when its server could not be reached, and holds up nobody", async () => {
    const mail = await handedAndErased();
    await settleFates(knex, [{ mail, fate: { kind: "unreached", reason: `no way to ${mail.to}` } }]);
    assert.deepEqual(await stands(), ["cancelled", null, null]);
  });

  it("is tried no more when it bounces softly, and what the server said is not kept", async () => {
    const mail = await handedAndErased();
    await settleFates(knex, [{ mail, fate: { kind: "sent" } }]);
    const event = { id: randomUUID(), kind: "soft_bounce", at: Date.now(), leadId: mail.leadId, attempt: 1 } as const;
    const reference = { tenant, campaign: mail.campaign };
    assert.equal(await applyEvent(knex, { ...event, reference, reason: `${mail.to} is full` }), "applied");
    assert.deepEqual(await stands(), ["failed", null, null]);
  });

  it("is not sent when an operator says that it was not", async () => {
    const mail = await handedAndErased();
    await settleFates(knex, [{ mail, fate: { kind: "unknown", reason: "cut" } }]);
    assert.equal(await settleUnknown(knex, { tenant, leadId: mail.leadId }, "not_sent"), "settled");
    assert.deepEqual(await stands(), ["cancelled", "an operator said: not_sent", null]);
  });
});
