import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import type { Knex } from "knex";
import { addressHash } from "../../../services/email/recipient.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";
import { signPlain, statesIn, writeSome } from "../../support/mail.ts";
import { events as documented } from "../../support/providers/documented/sendgrid.ts";

const secret = "a-secret-of-this-test-that-signs-events";
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });

describe("POST /v1/webhooks/email", function () {
  this.timeout(60_000);
  let gateway: TestGateway;
  let knex: Knex;
  before(async () => {
    gateway = await startGateway({
      services: ["services/email/mail.service.ts"],
      env: {
        LEADS_MAIL_EVENT_SECRETS: `the-secret-that-was-used-before-this,${secret}`,
        LEADS_SENDGRID_EVENT_KEY: publicKey.export({ type: "spki", format: "der" }).toString("base64"),
      },
    });
    knex = gateway.resources.databases.of("acme");
  });
  after(() => gateway?.[Symbol.asyncDispose]());
  beforeEach(() => knex.raw("truncate outbox, mail_claims, mail_events, mail_days, mail_tenants, suppressions"));

  async function post(body: string, headers: Record<string, string>): Promise<{ status: number; body: any }> {
    const answer = await fetch(`${gateway.url}/v1/webhooks/email`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    return { status: answer.status, body: await answer.json() };
  }
  const plain = (events: object[], now = Date.now()) => {
    const body = JSON.stringify({ events });
    return post(body, { "Leads-Signature": signPlain(body, secret, now) });
  };
  const sendgridHeaders = (body: string, now = Date.now(), key = privateKey) => {
    const timestamp = String(Math.floor(now / 1_000));
    return {
      "X-Twilio-Email-Event-Webhook-Signature": sign("sha256", Buffer.from(timestamp + body), key).toString("base64"),
      "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    };
  };
  const sendgrid = (events: object[]) => {
    // As SendGrid sends them: with line ends, over which it signs too.
    const body = `[${events.map((event) => JSON.stringify(event)).join(",\r\n")}]\r\n`;
    return post(body, sendgridHeaders(body));
  };

  /** E-mails that were sent once. */
  async function sentMails(count: number) {
    const mails = await writeSome(knex, count);
    await knex("outbox").update({ state: "sent", attempts: 1, sent_at: knex.fn.now() });
    await knex("mail_days").insert({
      tenant: "acme",
      epoch: 0,
      day: knex.raw("(now() at time zone 'UTC')::date"),
      sent: count,
    });
    return mails;
  }
  const told = (messageId: string, kind: string, more: object = {}) => ({
    id: randomUUID(),
    messageId,
    kind,
    at: Date.now(),
    attempt: 1,
    ...more,
  });
  const rowOf = (leadId: string) => knex("outbox").where({ lead_id: leadId }).first();
  const counts = async () => {
    const { sent, bounced, complained } = await knex("mail_days").first();
    return { sent, bounced, complained };
  };

  it("takes signed events alone, that are not old", async () => {
    const [mail] = await sentMails(1);
    const events = [told(mail!.messageId, "hard_bounce")];
    const body = JSON.stringify({ events });
    const wrong = createHmac("sha256", "another-secret-that-nobody-agreed-on").update(body).digest("hex");
    const { privateKey: otherKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const list = JSON.stringify(events);
    const rubbish = Object.fromEntries(Object.keys(sendgridHeaders(list)).map((name) => [name, "1".repeat(2_000)]));
    const refused: [string, Promise<{ status: number }>][] = [
      ["unsigned", post(body, {})],
      ["another secret", post(body, { "Leads-Signature": `t=${Math.floor(Date.now() / 1_000)},v1=${wrong}` })],
      ["another body", post(`${body} `, { "Leads-Signature": signPlain(body, secret, Date.now()) })],
      ["old", plain(events, Date.now() - 11 * 60_000)],
      ["from times to come", plain(events, Date.now() + 11 * 60_000)],
      ["no signature", post(body, { "Leads-Signature": "t=1,v1=0" })],
      ["a long one", post(body, { "Leads-Signature": `t=1,v1=${"0".repeat(2_000)}` })],
      ["another key", post(list, sendgridHeaders(list, Date.now(), otherKey))],
      ["another body", post(`${list} `, sendgridHeaders(list))],
      ["old", post(list, sendgridHeaders(list, Date.now() - 11 * 60_000))],
      ["long ones", post(list, rubbish)],
      ["rubbish", post(list, { ...sendgridHeaders(list), "X-Twilio-Email-Event-Webhook-Signature": "rubbish" })],
    ];
    for (const [what, answer] of refused) assert.equal((await answer).status, 401, what);
    assert.deepEqual(await statesIn(knex), { sent: 1 });
    assert.deepEqual((await plain(events)).body, { applied: 1, repeat: 0, stranger: 0 });
  });

  it("suppresses the addresses of hard bounces and complaints, and counts them", async () => {
    const [bounced, complained, fine] = await sentMails(3);
    await plain([told(bounced!.messageId, "hard_bounce"), told(complained!.messageId, "complaint")]);
    assert.deepEqual(await statesIn(knex), { bounced: 1, complained: 1, sent: 1 });
    const rows = await knex("suppressions").orderBy("reason");
    assert.deepEqual(
      rows.map(({ address, reason }) => [
        reason,
        Buffer.from(address).equals(addressHash(reason === "complaint" ? complained!.to : bounced!.to)),
      ]),
      [
        ["complaint", true],
        ["hard_bounce", true],
      ],
    );
    assert.deepEqual(await counts(), { sent: 3, bounced: 1, complained: 1 });
    assert.equal((await rowOf(fine!.leadId)).state, "sent");
  });

  it("takes repeats without counting them, also of a whole delivery at once", async () => {
    const mails = await sentMails(5);
    const events = mails.map(({ messageId }) => told(messageId, "hard_bounce"));
    const answers = await Promise.all([plain(events), plain(events), plain([...events, ...events])]);
    const sum = (kind: string) => answers.reduce((total, { body }) => total + body[kind], 0);
    assert.deepEqual([sum("applied"), sum("repeat")], [5, 15]);
    assert.deepEqual(await counts(), { sent: 5, bounced: 5, complained: 0 });
  });

  it("comes to the same end in whichever order events come", async () => {
    const kinds = ["accepted", "delivered", "hard_bounce", "complaint"];
    for (const order of permutations(kinds)) {
      const [mail] = await sentMails(1);
      await knex("outbox").where({ lead_id: mail!.leadId }).update({ state: "unknown", sent_at: null });
      for (const kind of order) await plain([told(mail!.messageId, kind)]);
      assert.equal((await rowOf(mail!.leadId)).state, "complained", order.join(" "));
      const { sent, bounced, complained } = await counts();
      // It counts as sent when its fate was unknown; the day began with one.
      assert.deepEqual([sent, complained], [2, 1], order.join(" "));
      assert.equal(bounced, 1, order.join(" "));
      await knex.raw("truncate outbox, mail_claims, mail_events, mail_days, suppressions");
    }
  });

  it("settles an e-mail of unknown fate, and one that somebody said was not sent", async () => {
    const [unknown, wrong, other] = await sentMails(3);
    await knex("outbox").where({ lead_id: unknown!.leadId }).update({ state: "unknown" });
    await knex("outbox").whereIn("lead_id", [wrong!.leadId, other!.leadId]).update({ state: "written" });
    await plain([told(unknown!.messageId, "accepted"), told(wrong!.messageId, "delivered")]);
    assert.deepEqual(await statesIn(knex), { sent: 2, written: 1 });
  });

  it("notes the first open of an e-mail, once, and keeps nothing of when", async () => {
    const [mail, other] = await sentMails(2);
    const open = told(mail!.messageId, "opened");
    const answers = await Promise.all([plain([open]), plain([open, told(mail!.messageId, "opened")])]);
    const sum = (kind: string) => answers.reduce((total, { body }) => total + body[kind], 0);
    assert.deepEqual([sum("applied"), sum("repeat")], [1, 2]);
    assert.deepEqual([(await rowOf(mail!.leadId)).opened, (await rowOf(other!.leadId)).opened], [true, false]);
    assert.deepEqual(await knex("mail_events"), []);
    assert.deepEqual(await counts(), { sent: 2, bounced: 0, complained: 0 });
  });

  it("takes an open for a word that its try was sent, in whichever order it comes", async () => {
    for (const order of permutations(["opened", "delivered", "opened"])) {
      const [mail, wrong] = await sentMails(2);
      await knex("outbox").where({ lead_id: mail!.leadId }).update({ state: "unknown", sent_at: null });
      await knex("outbox").where({ lead_id: wrong!.leadId }).update({ state: "written", sent_at: null });
      for (const kind of order) await plain([told(mail!.messageId, kind), told(wrong!.messageId, kind)]);
      for (const { leadId } of [mail!, wrong!]) {
        const { state, opened } = await rowOf(leadId);
        assert.deepEqual([state, opened], ["sent", true], order.join(" "));
      }
      // The day began with two.
      assert.deepEqual(await counts(), { sent: 4, bounced: 0, complained: 0 });
      await knex.raw("truncate outbox, mail_claims, mail_events, mail_days, suppressions");
    }
    const [mail] = await sentMails(1);
    await knex("outbox").update({ state: "unknown", attempts: 2 });
    await plain([told(mail!.messageId, "opened", { attempt: 1 })]);
    const { state, opened } = await rowOf(mail!.leadId);
    assert.deepEqual([state, opened], ["unknown", true], "of the try before");
  });

  it("keeps no open of an erased e-mail, and takes it for a word that it was sent all the same", async () => {
    const [mail] = await sentMails(1);
    await knex("outbox").update({ state: "unknown", recipient: "" });
    for (const answer of ["applied", "repeat"])
      assert.equal((await plain([told(mail!.messageId, "opened")])).body[answer], 1);
    const { state, opened } = await rowOf(mail!.leadId);
    assert.deepEqual([state, opened], ["sent", false]);
  });

  it("tries a soft bounce again, hours later, three times in all, and once for each try", async () => {
    const [mail] = await sentMails(1);
    const soft = (attempt: number) =>
      plain([told(mail!.messageId, "soft_bounce", { attempt, reason: "mailbox\r\nfull" })]);
    await soft(1);
    const row = await rowOf(mail!.leadId);
    assert.deepEqual([row.state, row.reason], ["written", "mailbox full"]);
    assert.ok(row.due_at.getTime() - Date.now() > 3.9 * 3_600_000);
    // Of the same try under another id, and late words of its acceptance.
    await soft(1);
    await plain([told(mail!.messageId, "accepted"), told(mail!.messageId, "delivered")]);
    assert.equal((await rowOf(mail!.leadId)).state, "written");
    for (const attempt of [2, 3]) {
      await knex("outbox").update({ state: "sent", attempts: attempt, sent_at: knex.fn.now() });
      await soft(attempt - 1);
      assert.equal((await rowOf(mail!.leadId)).state, "sent", "a word of the try before");
      await soft(attempt);
      assert.equal((await rowOf(mail!.leadId)).state, attempt < 3 ? "written" : "failed");
    }
    assert.deepEqual(await knex("suppressions"), []);
  });

  it("understands SendGrid's events, by what we gave along", async () => {
    const mails = await sentMails(9);
    const event = (n: number, name: string, more: object = {}) => ({
      email: mails[n]!.to,
      timestamp: Math.floor(Date.now() / 1_000),
      "smtp-id": mails[n]!.messageId,
      event: name,
      sg_event_id: randomUUID(),
      sg_message_id: "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
      lead_tenant: "acme",
      lead_id: mails[n]!.leadId,
      lead_campaign: "first-contact",
      lead_attempt: "1",
      ...more,
    });
    const { status, body } = await sendgrid([
      event(0, "processed"),
      event(0, "delivered", { response: "250 OK" }),
      event(1, "bounce", { type: "bounce", reason: "550 5.1.1 The email account does not exist.", status: "5.1.1" }),
      event(2, "bounce", { type: "blocked", reason: "421 try later" }),
      event(3, "spamreport"),
      event(4, "unsubscribe"),
      event(5, "dropped", { reason: "Bounced Address" }),
      event(6, "dropped", { reason: "Spam Content" }),
      event(7, "open", { sg_machine_open: true }),
      event(8, "open", { sg_machine_open: false }),
      event(7, "deferred"),
      event(7, "delivered", { lead_id: randomUUID() }),
      { ...event(7, "bounce"), lead_tenant: undefined },
    ]);
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body, { applied: 9, repeat: 0, stranger: 1 });
    const states = await Promise.all(mails.map(async ({ leadId }) => (await rowOf(leadId)).state));
    assert.deepEqual(states, ["sent", "bounced", "written", "complained", "sent", "bounced", "failed", "sent", "sent"]);
    assert.deepEqual(await knex("outbox").where({ opened: true }).pluck("lead_id"), [mails[8]!.leadId]);
    const reasons = await knex("suppressions").orderBy("reason").pluck("reason");
    assert.deepEqual(reasons, ["complaint", "hard_bounce", "hard_bounce", "unsubscribed"]);
  });

  it("takes SendGrid's documented example: no e-mail of ours as it stands, each its own word with what we gave along", async () => {
    assert.deepEqual((await sendgrid(documented)).body, { applied: 0, repeat: 0, stranger: 0 });
    const mails = await sentMails(documented.length);
    const ours = documented.map((event, n) => ({
      ...event,
      sg_event_id: randomUUID(),
      lead_tenant: "acme",
      lead_id: mails[n]!.leadId,
      lead_campaign: "first-contact",
      lead_attempt: "1",
    }));
    const { status, body } = await sendgrid(ours);
    assert.equal(status, 200, JSON.stringify(body));
    const states = await Promise.all(mails.map(async ({ leadId }) => (await rowOf(leadId)).state));
    const told = documented.map(({ event }, n) => [event, states[n]]);
    assert.deepEqual(told, [
      ["processed", "sent"],
      ["deferred", "sent"],
      ["delivered", "sent"],
      ["open", "sent"],
      ["click", "sent"],
      ["bounce", "bounced"],
      ["dropped", "bounced"],
      ["spamreport", "complained"],
      ["unsubscribe", "sent"],
    ]);
    const opens = mails.filter((_, n) => documented[n]!.event === "open").map(({ leadId }) => leadId);
    assert.deepEqual(await knex("outbox").where({ opened: true }).pluck("lead_id"), opens);
  });

  it("refuses what is signed and no list of events, and believes nothing of another tenant's e-mail", async () => {
    const [mail] = await sentMails(1);
    for (const body of [
      "{}",
      "[]",
      '{"events":[1]}',
      '{"events":[{"id":"x","messageId":"<a@b>","kind":"delivered","at":1}]}',
    ])
      assert.equal((await post(body, { "Leads-Signature": signPlain(body, secret, Date.now()) })).status, 400, body);
    const other = mail!.messageId.replace(/\.[0-9a-f]{16}@/, ".0123456789abcdef@");
    assert.deepEqual((await plain([told(other, "hard_bounce")])).body, { applied: 0, repeat: 0, stranger: 1 });
    assert.deepEqual(await statesIn(knex), { sent: 1 });
  });

  it("stops a tenant that is complained of", async () => {
    const [mail] = await sentMails(1);
    await knex("mail_days").update({ sent: 999 });
    await plain([told(mail!.messageId, "complaint")]);
    const { stopped_reason: reason } = await knex("mail_tenants").first();
    assert.match(reason, /^1 of 999 e-mails in seven days were complained of/);
  });
});

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [[...list]];
  return list.flatMap((first, n) => permutations(list.toSpliced(n, 1)).map((rest) => [first, ...rest]));
}
