import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { Databases } from "../../mixins/knex.ts";
import { capsOf } from "../../services/budget/caps.ts";
import { Ledger } from "../../services/budget/ledger.ts";
import { endLosers, insertMerges, lockLeads } from "../../services/dedupe/dedupe.sql.ts";
import { unmerge } from "../../services/dedupe/unmerge.sql.ts";
import { applyEvent } from "../../services/email/events.sql.ts";
import { addressHash } from "../../services/email/recipient.ts";
import { suppress } from "../../services/email/suppressions.sql.ts";
import { begin } from "../../services/leads/erase.sql.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { insertLeads, writeDead, writeEnds } from "../../services/leads/record.ts";
import { rowOf } from "../../services/leads/row.ts";
import { aLead, passed } from "./leads.ts";
import type { TestPlace } from "./servers.ts";

const day = 86_400_000;
const firstDay = Date.parse("2026-03-01T12:00:00Z");
const of = <T>(list: readonly T[], n: number): T => list[n % list.length]!;

/** The n-th of some leads that differ in day, source, vertical, ZIP code and tenant. */
export function nthLead(n: number, given: Partial<Lead> = {}): Lead {
  const vertical = of(["bakery", "plumber", undefined], n);
  return aLead({
    tenant: of(["acme", "acme", "zenith"], n),
    revision: firstDay + (n % 3) * day,
    source: of(["yelp", "crm"], n),
    fields: {
      name: `Business ${n}`,
      email: `owner-${randomUUID()}@business.example`,
      address: { city: "Chicago", zip: of(["60601", "60602", "60603", "60604"], n) },
      ...(vertical !== undefined && { vertical }),
    },
    ...given,
  });
}

/** Scored and drafted, as the pipeline leaves it. */
export const ended = (lead: Lead, value: number): Lead => ({
  ...passed(lead, "dedupe", "score", "mockup"),
  score: {
    value,
    version: "v1",
    fired:
      value < 50
        ? [{ name: "no-site", points: 30 }]
        : [
            { name: "no-site", points: 30 },
            { name: "busy", multiplier: 1.5 },
          ],
  },
  ...(value >= 50 && {
    mockup: { template: "t", headline: "", tagline: "", sections: [], callToAction: "", palette: "", improvements: [] },
  }),
});

/** What the mesh does to the record, by the mesh's own statements, with no mesh. */
export class Business implements AsyncDisposable {
  readonly knex: Knex;
  readonly #databases: Databases;
  readonly #ledger: Ledger;

  constructor({ settings }: Pick<TestPlace, "settings">) {
    this.#databases = new Databases(settings);
    this.knex = this.#databases.of("");
    this.#ledger = new Ledger({ databases: this.#databases, caps: capsOf(settings), onLevel: () => {} });
  }

  arrive(...leads: Lead[]) {
    return this.knex.transaction((trx) => insertLeads(trx, "dedupe", leads));
  }

  end(lead: Lead, value: number, state: "completed" | "rejected" = "completed") {
    return writeEnds(this.knex, [{ lead: ended(lead, value), stage: "email", state }]);
  }

  die(lead: Lead) {
    return writeDead(this.knex, [rowOf(passed(lead, "dedupe"), { stage: "score", state: "dead", reason: "BROKEN" })]);
  }

  /** Two leads of one tenant become one; answers false where one of them is a double, or none any more. */
  merge({ tenant, leadId: winner }: Lead, { leadId: loser }: Lead): Promise<boolean> {
    return this.knex.transaction(async (trx) => {
      const both = [winner, loser].map((leadId) => ({ tenant, leadId }));
      const rows = await lockLeads(trx, both, both);
      const mine = rows.find((row) => row.leadId === loser);
      const live = rows.filter(({ state }) => state === "in_progress" || state === "completed");
      if (!mine || rows.length !== 2 || live.length !== 2) return false;
      const { state, reason, revision } = mine;
      const before = { state, reason, revision, children: [] };
      const merge = { tenant, winner, loser, evidence: { agree: [] }, loser_before: before };
      await endLosers(trx, [merge]);
      await insertMerges(trx, [merge]);
      return true;
    });
  }

  unmerge({ tenant, leadId }: Lead) {
    return this.knex.transaction((trx) => unmerge(trx, { tenant, leadId, now: Date.now() }));
  }

  erase({ tenant, leadId }: Lead) {
    const asked = { tenant, leadId, erasureId: randomUUID(), leaseMs: 60_000, known: false };
    return this.knex.transaction((trx) => begin(trx, asked));
  }

  /** The lead's e-mail is in this state now. */
  async mail({ tenant, leadId, fields }: Lead, state: string): Promise<void> {
    const address = addressHash(fields.email!);
    const mail = { tenant, lead_id: leadId, campaign: "c" };
    await this.knex("mail_claims").insert({ tenant, campaign: "c", address, lead_id: leadId }).onConflict().ignore();
    await this.knex("outbox")
      .insert({ ...mail, address, recipient: fields.email, subject: "s", html: "h", body: "b", attempts: 1 })
      .onConflict()
      .ignore();
    await this.knex("outbox").where(mail).update({ state });
  }

  /** Its reader opens the lead's e-mail; answers what became of the word of it. */
  open({ tenant, leadId }: Lead) {
    const reference = { tenant, campaign: "c" };
    return applyEvent(this.knex, { id: randomUUID(), kind: "opened", at: Date.now(), leadId, reference });
  }

  unsubscribe({ tenant, fields }: Lead) {
    return suppress(this.knex, [{ tenant, address: addressHash(fields.email!), reason: "unsubscribed" }]);
  }

  /** A call that costs; without a lead it is the tenant's alone. */
  async spend({ tenant, leadId }: { tenant: string; leadId?: string }, costMicro: number): Promise<void> {
    const effectKey = randomUUID();
    const order = { tenant, effectKey, provider: "yelp", amountMicro: costMicro, essential: true, holdMs: 50_000 };
    const taken = await this.#ledger.reserve({ ...order, ...(leadId !== undefined && { leadId }) });
    if (taken.kind !== "granted") throw new Error(`it was ${taken.kind}`);
    const settle = { tenant, effectKey, reservation: taken.reservation, costMicro };
    await this.#ledger.settle(settle);
    // A repeat.
    await this.#ledger.settle(settle);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#databases.close();
  }
}
