import assert from "node:assert/strict";
import { headers, namesFor } from "../../../config/names.ts";
import { stageDefaults } from "../../../config/pipeline.ts";
import { type DeadLetter, errorOf } from "../../../mixins/actor/dead-letter.ts";
import { maxItemBytes, pack, type Route, unpack } from "../../../mixins/actor/envelope.ts";
import {
  complete,
  faultOf,
  forward,
  merge,
  type Outcome,
  reject,
  retry,
  type Tries,
  wait,
} from "../../../mixins/actor/outcome.ts";
import type { Delivery } from "../../../mixins/actor/puller.ts";
import { type Entry, type Parcel, type SettleContext, settle } from "../../../mixins/actor/settle.ts";
import { LeadsError, outage } from "../../../mixins/errors.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { aLead } from "../../support/leads.ts";

const names = namesFor("t");
const policy = { retries: 2, baseMs: 1_000, maxMs: 8_000 };
const now = 1_700_000_000_000;
const context: SettleContext = {
  names,
  options: { ...stageDefaults, name: "one", retry: policy },
  next: "two",
  now,
  random: () => 0.5,
};
const bulk: Route = { tenant: "acme", lane: "bulk", requestId: "r", traceparent: "t" };

function entry(
  outcomeOf: (lead: Lead) => Outcome<Lead>,
  { lead = aLead(), tries, seq = 7, route = bulk }: { lead?: Lead; tries?: Tries; seq?: number; route?: Route } = {},
): Entry<Lead> {
  const [envelope] = pack(route, [tries ? { lead, tries } : { lead }]);
  const msg = { data: envelope!.data, headers: envelope!.headers };
  const work = { ...route, lead, attempt: (tries?.count ?? 0) + 1, redelivered: false };
  return { work, tries, route, delivery: { seq, msg } as Delivery, outcome: outcomeOf(lead) };
}
const itemsOf = ({ envelope }: Parcel) => unpack<Lead>(envelope.data, envelope.headers).items;
const letterOf = ({ envelope }: Parcel): DeadLetter<Lead> => JSON.parse(new TextDecoder().decode(envelope.data));
const schedule = ({ envelope }: Parcel) => Date.parse(envelope.headers.get(headers.schedule).slice(4));
const failedBefore = (count: number): Tries => ({
  count,
  firstAt: now - 5_000,
  lastAt: now - 1_000,
  error: { type: "Error", message: "before" },
});

describe("settling a batch", () => {
  it("sends forwards to the next mailbox, many leads an envelope, tenants and lanes apart", () => {
    const live: Route = { ...bulk, lane: "live" };
    const other: Route = { ...bulk, tenant: "other" };
    const { parcels } = settle(
      [
        ...Array.from({ length: 60 }, () => entry(forward)),
        entry(forward, { route: live }),
        entry(forward, { route: other, lead: aLead({ tenant: "other" }) }),
      ],
      context,
    );
    assert.deepEqual(
      parcels.map(({ subject, envelope }) => [subject, envelope.count, envelope.headers.get(headers.tenant)]),
      [
        ["t.two.bulk", 50, "acme"],
        ["t.two.bulk", 10, "acme"],
        ["t.two.live", 1, "acme"],
        ["t.two.bulk", 1, "other"],
      ],
    );
  });

  it("publishes nothing for what has ended", () => {
    const ended = [
      entry((lead) => complete(lead, "x")),
      entry((lead) => merge(lead, "y")),
      entry((lead) => reject(lead, "z")),
    ];
    assert.deepEqual(settle(ended, context), { parcels: [], dead: [] });
  });

  it("parks a failure until its backoff is over, with its tries", () => {
    const { parcels, dead } = settle([entry(() => retry(new TypeError("oops")))], context);
    assert.equal(dead.length, 0);
    assert.match(parcels[0]!.subject, /^t\.park\.wait\.one\.bulk\.[\w-]+$/);
    assert.equal(parcels[0]!.envelope.headers.get(headers.scheduleTarget), "t.park.due.one.bulk");
    assert.ok(schedule(parcels[0]!) >= now + 500 && schedule(parcels[0]!) <= now + 750);
    assert.deepEqual(itemsOf(parcels[0]!)[0]!.tries, {
      count: 1,
      firstAt: now,
      lastAt: now,
      error: { type: "TypeError", message: "oops" },
    });
  });

  it("makes a dead letter after the last retry, or at once when no retry can help", () => {
    const last = entry(() => retry(new Error("again")), { tries: failedBefore(2) });
    const hopeless = entry(() => retry(new LeadsError("VALIDATION", "never")));
    const { parcels, dead } = settle([last, hopeless], context);
    assert.deepEqual(dead, [last, hopeless]);
    assert.deepEqual(letterOf(parcels[0]!), {
      v: 1,
      lead: last.work.lead,
      stage: "one",
      error: { type: "Error", message: "again" },
      attempts: 3,
      firstAt: now - 5_000,
      lastAt: now,
      stream: "t-one",
      seq: 7,
      lane: "bulk",
      tenant: "acme",
      requestId: "r",
      traceparent: "t",
    });
    assert.equal(letterOf(parcels[1]!).attempts, 1);
    assert.equal(letterOf(parcels[1]!).error.type, "VALIDATION");
  });

  it("lets a wait burn no try", () => {
    const tries = failedBefore(2);
    const { parcels } = settle([entry(() => wait(now + 60_000, "quota"), { tries })], context);
    assert.equal(schedule(parcels[0]!), now + 60_000);
    assert.deepEqual(itemsOf(parcels[0]!)[0]!.tries, tries);
  });

  it("gives a lead that comes back and waits for the same moment a new id, and a redelivery the same one", () => {
    const lead = aLead();
    const idOf = (seq: number) =>
      settle([entry(() => wait(now, "quota"), { lead, seq })], context).parcels[0]!.envelope.headers.get(headers.msgId);
    assert.equal(idOf(7), idOf(7));
    assert.notEqual(idOf(7), idOf(8));
  });

  it("writes a moment that is past or beyond all calendars so that a schedule can be read", () => {
    for (const until of [-1e15, 0, 1e300]) {
      const { parcels } = settle([entry(() => wait(until, "x"))], context);
      assert.match(parcels[0]!.envelope.headers.get(headers.schedule), /^@at \d{4}-\d\d-\d\dT[\d:.]+Z$/);
    }
  });

  it("spreads the tries of what looks like an outage as wide as the policy goes, whatever its error says of retrying", () => {
    const skipped = Object.assign(new Error("skipped"), { type: "REQUEST_SKIPPED", retryable: false });
    for (const error of [outage("llm"), skipped]) {
      const { parcels, dead } = settle([entry(() => retry(error))], context);
      assert.equal(dead.length, 0);
      assert.ok(schedule(parcels[0]!) >= now + 7_200 && schedule(parcels[0]!) <= now + 8_250);
    }
  });

  it("makes a dead letter of a lead that outgrew any message, as it was delivered, and lets the others go on", () => {
    const grown = entry((lead) => forward({ ...lead, fields: { name: "漢".repeat(maxItemBytes / 3) } }));
    const inPlace = entry((lead) => {
      lead.fields.name = "x".repeat(maxItemBytes);
      return retry(new Error("later"));
    });
    const good = entry(forward);
    const { parcels, dead } = settle([grown, inPlace, good], context);
    assert.deepEqual(dead, [grown, inPlace]);
    assert.equal(itemsOf(parcels[0]!)[0]!.lead.leadId, good.work.lead.leadId);
    for (const [n, of] of [grown, inPlace].entries()) {
      const letter = letterOf(parcels[n + 1]!);
      assert.equal(letter.error.type, "ENVELOPE");
      assert.equal(letter.lead!.leadId, of.work.lead.leadId);
      assert.match(letter.lead!.fields.name, /^Business/);
    }
  });

  it("keeps the beginning of an error's message only: a statement with its values can be megabytes", () => {
    assert.equal(errorOf(new Error("x".repeat(5_000_000))).message.length, 1_000);
    const { parcels } = settle([entry(() => retry(new Error("x".repeat(5_000_000))))], context);
    assert.ok(parcels[0]!.envelope.data.length < 5_000);
  });

  it("keeps the type of an error of ours, the SQLSTATE of a database's, the name of any other", () => {
    assert.equal(errorOf(outage("postgres")).type, "OUTAGE");
    assert.equal(errorOf(Object.assign(new Error("x"), { code: "23505" })).type, "23505");
    assert.equal(errorOf(new RangeError("x")).type, "RangeError");
  });
});

describe("an outcome", () => {
  const lead = aLead();
  it("is taken as it is when it is one of the six", () => {
    const good = [
      forward(lead),
      complete(lead, ""),
      merge(lead, ""),
      reject(lead, ""),
      retry(new Error()),
      wait(0, ""),
    ];
    for (const outcome of good) assert.equal(faultOf(outcome, lead.leadId), null);
  });

  it("is refused when it is none, or another lead's, or cannot be carried out", () => {
    const wrong = [
      undefined,
      null,
      {},
      { kind: "drop" },
      forward(aLead()),
      { kind: "forward" },
      { kind: "complete", lead: { leadId: lead.leadId } },
      { kind: "retry" },
      { kind: "retry", error: "text" },
      wait(Number.NaN, ""),
      wait(Number.POSITIVE_INFINITY, ""),
    ];
    for (const outcome of wrong) assert.equal(typeof faultOf(outcome as any, lead.leadId), "string");
  });
});
