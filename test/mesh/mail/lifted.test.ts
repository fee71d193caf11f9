import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { openDatabase, transaction } from "../../../mixins/knex.ts";
import { claimDue, markSending } from "../../../services/email/claims.sql.ts";
import { applyEvent } from "../../../services/email/events.sql.ts";
import { settleFates } from "../../../services/email/fates.sql.ts";
import { addressHash } from "../../../services/email/recipient.ts";
import { suppress } from "../../../services/email/suppressions.sql.ts";
import { begin } from "../../../services/leads/erase.sql.ts";
import { insertLeads } from "../../../services/leads/record.ts";
import { lift } from "../../../services/leads/tombstones.sql.ts";
import { aLead } from "../../support/leads.ts";
import { claimOptions, writeSome } from "../../support/mail.ts";
import { type TestPlace, testPlace } from "../../support/servers.ts";

const tenant = "acme";
const campaign = "first-contact";

describe("an address that an erasure suppressed, when the erasure is lifted,", () => {
  let place: TestPlace;
  let knex: Knex;
  before(async () => {
    place = await testPlace();
    knex = openDatabase(place.settings);
  });
  after(async () => {
    await knex?.destroy();
    await place?.[Symbol.asyncDispose]();
  });
  beforeEach(() => knex.raw("truncate outbox, mail_claims, mail_events, suppressions, leads, erasures, tombstones"));

  const reasons = () => knex("suppressions").pluck("reason");
  async function erase(leadId: string) {
    const erasureId = randomUUID();
    await transaction(knex, (trx) => begin(trx, { tenant, leadId, erasureId, leaseMs: 1_000, known: false }));
    return {
      async lift() {
        await knex("erasures").where({ erasure_id: erasureId }).update({ finished_at: knex.fn.now() });
        assert.ok(Array.isArray(await transaction(knex, (trx) => lift(trx, tenant, erasureId))));
      },
    };
  }
  /** An e-mail that a sender has in hand, of a lead on record. */
  async function inHand() {
    const [mail] = await writeSome(knex, 1);
    const { leadId, to } = mail!;
    await transaction(knex, (trx) =>
      insertLeads(trx, "dedupe", [aLead({ leadId, fields: { name: "Joe's", email: to } })]),
    );
    const claim = claimOptions();
    await claimDue(knex, claim);
    const [handed] = await markSending(knex, claim.holder, claim.leaseMs);
    return { handed: handed!, leadId, address: addressHash(to) };
  }
  type InHand = Awaited<ReturnType<typeof inHand>>;
  const told =
    (kind: "complaint" | "hard_bounce" | "unsubscribed") =>
    ({ handed, leadId }: InHand) =>
      applyEvent(knex, {
        ...{ id: randomUUID(), kind, at: Date.now(), leadId, attempt: handed.attempt },
        reference: { tenant, campaign },
      });

  const wishes: [what: string, reason: string, say: (mail: InHand) => Promise<unknown>][] = [
    [
      "its recipient has unsubscribed by the link",
      "unsubscribed",
      ({ address }) => suppress(knex, [{ tenant, address, reason: "unsubscribed" }]),
    ],
    ["its recipient has unsubscribed, as the provider says", "unsubscribed", told("unsubscribed")],
    ["its recipient has complained", "complaint", told("complaint")],
    ["it has bounced", "hard_bounce", told("hard_bounce")],
    [
      "its server has said that it is unknown",
      "hard_bounce",
      ({ handed: mail }) =>
        settleFates(knex, [{ mail, fate: { kind: "refused", permanent: true, recipient: true, reason: "550" } }]),
    ],
  ];
  for (const [what, reason, say] of wishes)
    it(`stays once ${what}`, async () => {
      const mail = await inHand();
      const erasure = await erase(mail.leadId);
      assert.deepEqual(await reasons(), ["erased"]);
      await say(mail);
      assert.deepEqual(await reasons(), [reason]);
      await erasure.lift();
      assert.deepEqual(await reasons(), [reason]);
    });

  it("stays with the first reason that it had before", async () => {
    const mail = await inHand();
    await suppress(knex, [{ tenant, address: mail.address, reason: "complaint" }]);
    const erasure = await erase(mail.leadId);
    await told("unsubscribed")(mail);
    await erasure.lift();
    assert.deepEqual(await reasons(), ["complaint"]);
  });

  it("is off the list, also one that the lead had when it was written to and has no more", async () => {
    const { leadId } = await inHand();
    await knex("leads")
      .where({ lead_id: leadId })
      .update({ email: "new@joes.example", fields: { name: "Joe's", email: "new@joes.example" }, own: null });
    const erasure = await erase(leadId);
    assert.deepEqual(await reasons(), ["erased", "erased"]);
    await erasure.lift();
    assert.deepEqual(await reasons(), []);
  });
});
