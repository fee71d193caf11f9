import assert from "node:assert/strict";
import type { Knex } from "knex";
import { openDatabase } from "../../../mixins/knex.ts";
import { signLink } from "../../../services/email/links.ts";
import { addressHash } from "../../../services/email/recipient.ts";
import sender from "../../../services/email/sender.service.ts";
import { suppress } from "../../../services/email/suppressions.sql.ts";
import { eventually } from "../../support/eventually.ts";
import { generous, stages, startGateway, throughAllStages } from "../../support/gateway.ts";
import { Mailbox, mailSettings, statesIn, writeSome } from "../../support/mail.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { scrape } from "../../support/metrics.ts";
import { testPlace } from "../../support/servers.ts";

const quickSender = { ...sender, settings: { leaseMs: 1_500, pollMs: 30 } as object };
const services = [quickSender, "services/smtp/smtp.service.ts"];
/** While the other side does not answer it rests for a second. */
const seconds = { LEADS_PROBE_MIN_MS: "1000", LEADS_PROBE_MAX_MS: "1000" };
const refusal = (responseCode: number, words = "no") => Object.assign(new Error(words), { responseCode });

describe("sending", function () {
  this.timeout(60_000);
  let box: Mailbox;
  beforeEach(async () => {
    box = await Mailbox.open();
  });
  afterEach(() => box[Symbol.asyncDispose]());

  const start = (more: Record<string, string> = {}) => startMesh({ services, env: mailSettings(box.url, more) });
  const knexOf = (mesh: TestMesh): Knex => mesh.resources.databases.of("acme");
  const states = (knex: Knex, expected: Record<string, number>) =>
    eventually(`the e-mails are ${JSON.stringify(expected)}`, async () => {
      assert.deepEqual(await statesIn(knex), expected);
      return true;
    });
  const rowOf = (knex: Knex, leadId: string) => knex("outbox").where({ lead_id: leadId }).first();

  it("takes a lead from the API to a mail whose links work for whoever gets it", async () => {
    await using gateway = await startGateway({
      services: [...stages, ...services],
      env: { ...generous, ...mailSettings(box.url) },
    });
    const { secret } = await gateway.key("acme", "ingest", "read");
    const lead = { name: "Joe's Diner\r\nBcc: all@evil.example", email: "info@joes.example", city: "Chicago" };
    const { id } = await throughAllStages(gateway, secret, lead);
    await eventually("it is taken", () => box.received.length === 1);
    const [mail] = box.received;
    assert.deepEqual([mail!.from, mail!.to], ["hello@agency.example", ["info@joes.example"]]);
    const [head = "", ...rest] = mail!.raw.split("\r\n\r\n");
    const header = head.replace(/\r\n[ \t]+/g, " ");
    assert.match(mail!.messageId, new RegExp(`^<${id}\\.[0-9a-f]{16}@agency\\.example>$`));
    assert.doesNotMatch(header, /^bcc:/im);
    assert.match(header, /^From: LeadFactory <hello@agency\.example>$/m);
    assert.match(header, /^List-Unsubscribe-Post: List-Unsubscribe=One-Click$/m);
    const [, unsubscribeUrl = ""] = /^List-Unsubscribe: <(\S+)>$/m.exec(header) ?? [];
    const body = rest.join("\r\n\r\n").replace(/=\r\n/g, "").replaceAll("=3D", "=");
    assert.match(body, /Agency Inc\., 1 Main St, Springfield, IL 62701/);
    assert.ok(body.includes(unsubscribeUrl));

    // No key, no cookie: as a stranger on another machine. The public address is another's in a test.
    const here = (link: string) => gateway.url + new URL(link).pathname;
    const [, mockupUrl = ""] = /See the draft: (\S+)/.exec(body) ?? [];
    const page = await fetch(here(mockupUrl));
    assert.equal(page.status, 200);
    assert.match(page.headers.get("content-security-policy")!, /default-src 'none'.*sandbox/);
    assert.match(await page.text(), /Joe&#39;s Diner/);

    const suppressed = () => knexOf(gateway)("suppressions").where({ tenant: "acme" });
    // What opens links by itself.
    for (const method of ["GET", "HEAD", "GET"]) {
      const asked = await fetch(here(unsubscribeUrl), { method, headers: { purpose: "prefetch" } });
      assert.equal(asked.status, 200);
      assert.match(asked.headers.get("content-security-policy")!, /form-action 'self'/);
    }
    assert.deepEqual(await suppressed(), []);
    const bent = unsubscribeUrl.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    const oneClick = { method: "POST", body: new URLSearchParams({ "List-Unsubscribe": "One-Click" }) };
    assert.equal((await fetch(here(bent), oneClick)).status, 403);
    for (const path of ["u", "m"]) {
      const long = await fetch(`${gateway.url}/${path}/${"A".repeat(2_000)}`);
      assert.deepEqual([long.status, long.headers.get("content-type")], [403, "text/html; charset=utf-8"]);
    }
    assert.deepEqual(await suppressed(), []);
    for (let n = 0; n < 2; n++) assert.equal((await fetch(here(unsubscribeUrl), oneClick)).status, 200);
    const form = new FormData();
    form.set("List-Unsubscribe", "One-Click");
    assert.equal((await fetch(here(unsubscribeUrl), { method: "POST", body: form })).status, 200);
    const rows = await suppressed();
    assert.deepEqual(
      rows.map(({ address, reason }) => [Buffer.from(address).toString("hex"), reason]),
      [[addressHash("INFO@joes.example").toString("hex"), "unsubscribed"]],
    );
  });

  it("is off without a postal address, and what was written then is not sent when there is one", async () => {
    await using gateway = await startGateway({
      services: [...stages, ...services],
      env: { ...generous, ...mailSettings(box.url, { LEADS_POSTAL_ADDRESS: "" }) },
    });
    const { secret } = await gateway.key("acme", "ingest", "read");
    const { id } = await throughAllStages(gateway, secret, { name: "Joe's", email: "info@joes.example" });
    const { missing } = await gateway.broker.call<{ missing: string[] }, object>("sender.state", {});
    assert.deepEqual(missing, ["LEADS_POSTAL_ADDRESS"]);
    await using _later = await startMesh({ services, place: gateway, env: mailSettings(box.url) });
    const knex = knexOf(gateway);
    const [probe] = await writeSome(knex, 1);
    await eventually("another is sent", () => box.counts.has(probe!.messageId));
    assert.equal((await rowOf(knex, id)).state, "written");
    assert.equal(box.received.length, 1);
  });

  it("says how long e-mails have waited for a sender, and nothing where none are sent", async () => {
    const watching = ["services/email/mail.service.ts", "services/metrics/metrics.service.ts"];
    await using mesh = await startMesh({ services: watching, env: mailSettings(box.url) });
    await using off = await startMesh({
      services: watching,
      place: mesh,
      env: mailSettings(box.url, { LEADS_MAIL_FROM: "" }),
    });
    await writeSome(knexOf(mesh), 1);
    await knexOf(mesh)("outbox").update({ due_at: knexOf(mesh).raw("now() - interval '500 s'") });
    const told = async ({ broker }: TestMesh) => {
      const { url } = broker.getLocalService("metrics") as unknown as { url: string };
      const { samples } = await scrape(`${url}/metrics`);
      return samples.filter(({ name }) => name === "leads_mail_overdue_seconds").map(({ value }) => value);
    };
    await eventually("it is told", async () => ((await told(mesh))[0] ?? 0) >= 500);
    // It asks its own service first.
    assert.deepEqual(await told(off), []);
    assert.equal(await off.broker.call("mail.overdue", {}, { nodeID: off.broker.nodeID }), null);
  });

  it("shares the outbox among instances, and sends each e-mail once", async () => {
    await using mesh = await start();
    await using _second = await startMesh({ services, place: mesh });
    await using _third = await startMesh({ services, place: mesh });
    await writeSome(knexOf(mesh), 300);
    await states(knexOf(mesh), { sent: 300 });
    assert.equal(box.received.length, 300);
    assert.equal(box.counts.size, 300);
  });

  it("waits while the server is away, burns no try, and goes on by itself", async () => {
    const port = Number(new URL(box.url).port);
    await box[Symbol.asyncDispose]();
    await using mesh = await start();
    const knex = knexOf(mesh);
    const mails = await writeSome(knex, 5);
    const state = () => mesh.broker.call<any, object>("sender.state", {});
    await eventually("it says that it waits", async () => (await state()).senders[0].state === "waiting");
    box = await Mailbox.open(port);
    await states(knex, { sent: 5 });
    for (const { leadId } of mails) assert.equal((await rowOf(knex, leadId)).attempts, 1);
    await eventually("it says that it sends", async () => (await state()).senders[0].state === "sending");
  });

  it("does not hand over what waits, at full speed, to a server that leaves each e-mail's fate unknown", async () => {
    await using mesh = await start({ ...seconds, LEADS_MAIL_CONNECTIONS: "4" });
    const knex = knexOf(mesh);
    box.cutAnswers = Number.POSITIVE_INFINITY;
    await writeSome(knex, 60);
    const state = async () => (await mesh.broker.call<any, object>("sender.state", {})).senders[0];
    await eventually("it says that it waits", async () => (await state()).state === "waiting");
    box.cutAnswers = 0;
    const [unknown = 0] = await eventually("the rest is sent", async () => {
      const { sent = 0, unknown: lost = 0 } = await statesIn(knex);
      return sent + lost === 60 ? [lost] : undefined;
    });
    // One e-mail looked, and looked again perhaps, whether it was better.
    assert.ok(unknown <= 6, `${unknown} are unknown`);
    await eventually("it says that it sends", async () => (await state()).state === "sending");
  });

  it("looks whether the server is back, past whatever heap waits for one domain's moments", async () => {
    const port = Number(new URL(box.url).port);
    await box[Symbol.asyncDispose]();
    await using mesh = await start({ ...seconds, LEADS_MAIL_CONNECTIONS: "1", LEADS_MAIL_DOMAIN_PER_MINUTE: "1" });
    const knex = knexOf(mesh);
    await writeSome(knex, 1, { domain: "heap.example" });
    const state = async () => (await mesh.broker.call<any, object>("sender.state", {})).senders[0].state;
    await eventually("it says that it waits", async () => (await state()) === "waiting");
    await writeSome(knex, 100, { domain: "heap.example" });
    const [other] = await writeSome(knex, 1);
    box = await Mailbox.open(port);
    // A second's rest for each eight of the heap would be twelve of them.
    await eventually("another domain's is sent", () => box.counts.has(other!.messageId), { withinMs: 6_000 });
  });

  it("does not send again what the server may have: its fate is unknown until somebody settles it", async () => {
    await using mesh = await startMesh({
      services: [...services, "services/email/email.service.ts"],
      env: mailSettings(box.url),
    });
    const knex = knexOf(mesh);
    box.cutAnswers = 3;
    const mails = await writeSome(knex, 10);
    await states(knex, { sent: 7, unknown: 3 });
    assert.equal(box.received.length, 10);
    const list = (state: string) => mesh.broker.call<any, object>("email.outbox", { tenant: "acme", limit: 50, state });
    const { items } = await list("unknown");
    assert.equal(items.length, 3);
    assert.equal(items[0].attempts, 1);
    const settle = (id: string, as: string) =>
      mesh.broker.call<any, object>("email.settle", { tenant: "acme", id, as });
    await settle(items[0].leadId, "sent");
    await settle(items[0].leadId, "sent");
    await settle(items[1].leadId, "not_sent");
    await states(knex, { sent: 9, unknown: 1 });
    assert.equal(box.counts.get(items[1].messageId), 2, "under the same Message-ID");
    await assert.rejects(settle(items[0].leadId, "not_sent"), { type: "CONFLICT" });
    const sent = mails.find(({ leadId }) => !items.some((item: { leadId: string }) => item.leadId === leadId))!;
    await assert.rejects(settle(sent.leadId, "not_sent"), { type: "CONFLICT" });
    await assert.rejects(mesh.broker.call("email.settle", { tenant: "other", id: items[2].leadId, as: "sent" }), {
      type: "NOT_FOUND",
    });
  });

  it("waits, and burns no try, while the server refuses the sender", async () => {
    await using mesh = await start();
    const knex = knexOf(mesh);
    box.refuse.sender = () => refusal(553, "5.7.1 Sender address rejected: not owned by user");
    const mails = await writeSome(knex, 5);
    const state = async () => (await mesh.broker.call<any, object>("sender.state", {})).senders[0].reason;
    await eventually("it says why", async () => (await state()) === "MAIL FROM 553 5.7.1");
    box.refuse = { recipient: () => refusal(550, "5.1.8 Sender address rejected: Domain not found") };
    await eventually("it says why now", async () => (await state()) === "RCPT TO 550 5.1.8");
    box.refuse = {};
    await states(knex, { sent: 5 });
    for (const { leadId } of mails) assert.equal((await rowOf(knex, leadId)).attempts, 1);
  });

  it("tries one again later whose recipient is refused for what may be our fault, and suppresses nobody", async () => {
    await using mesh = await start();
    const knex = knexOf(mesh);
    box.refuse.recipient = () => refusal(554, "5.7.1 Relay access denied");
    const [mail] = await writeSome(knex, 1);
    await eventually("it was tried", async () => (await rowOf(knex, mail!.leadId)).reason === "RCPT TO 554 5.7.1");
    const { state, attempts, due_at: due } = await rowOf(knex, mail!.leadId);
    assert.deepEqual([state, attempts], ["written", 1]);
    assert.ok(due.getTime() - Date.now() > 800_000);
    assert.deepEqual(await knex("suppressions"), []);
    box.refuse = {};
    await knex("outbox").update({ due_at: knex.fn.now() });
    await states(knex, { sent: 1 });
  });

  it("suppresses an address that its server does not know, and tries one that it refuses for now later", async () => {
    await using mesh = await start();
    const knex = knexOf(mesh);
    box.refuse.recipient = (address) =>
      address.startsWith("owner-0-")
        ? refusal(550, "5.1.1 No such user")
        : address.startsWith("owner-1-")
          ? refusal(451)
          : undefined;
    const [unknown, busy, fine] = await writeSome(knex, 3);
    await states(knex, { bounced: 1, sent: 1, written: 1 });
    assert.deepEqual([...box.counts.keys()], [fine!.messageId]);
    const [listed] = await knex("suppressions");
    assert.deepEqual(Buffer.from(listed.address), addressHash(unknown!.to));
    assert.equal(listed.reason, "hard_bounce");
    const row = await rowOf(knex, busy!.leadId);
    assert.deepEqual([row.attempts, row.reason], [1, "RCPT TO 451"]);
    const waitMs = row.due_at.getTime() - Date.now();
    assert.ok(waitMs > 800_000 && waitMs <= 900_000, `${waitMs}`);
    // Its moment has come, and the server knows it now.
    box.refuse = {};
    await knex("outbox").where({ lead_id: busy!.leadId }).update({ due_at: knex.fn.now() });
    await states(knex, { bounced: 1, sent: 2 });
  });

  it("gives up an e-mail that is refused five times, and at once one whose content is", async () => {
    await using mesh = await start();
    const knex = knexOf(mesh);
    box.refuse.content = () => refusal(452);
    const [mail] = await writeSome(knex, 1);
    for (let n = 1; n <= 4; n++) {
      await eventually(
        `try ${n}`,
        async () =>
          (await rowOf(knex, mail!.leadId)).state === "written" && (await rowOf(knex, mail!.leadId)).attempts === n,
      );
      await knex("outbox").update({ due_at: knex.fn.now() });
    }
    await states(knex, { failed: 1 });
    box.refuse.content = () => refusal(554);
    const [other] = await writeSome(knex, 1);
    await states(knex, { failed: 2 });
    assert.equal((await rowOf(knex, other!.leadId)).attempts, 1);
    assert.deepEqual(await knex("suppressions"), []);
  });

  it("stops a tenant at 2 % bounces, says why, and lets it go on when it is resumed", async () => {
    await using mesh = await startMesh({
      services: [...services, "services/email/mail.service.ts"],
      env: mailSettings(box.url, { LEADS_MAIL_CONNECTIONS: "1" }),
    });
    const knex = knexOf(mesh);
    let asked = 0;
    box.refuse.recipient = () => (++asked % 40 === 0 ? refusal(550) : undefined);
    await writeSome(knex, 260);
    const settings = () => mesh.broker.call<any, object>("mail.settings", { tenant: "acme" });
    const stopped = await eventually("it is stopped", async () => {
      const told = await settings();
      return told.stopped && told;
    });
    assert.equal(stopped.sending, false);
    assert.match(stopped.stopped.reason, /^5 of 200 e-mails in seven days bounced \(2\.50 %; the limit is 2 %\)$/);
    await writeSome(knex, 1, { tenant: "other" });
    await eventually(
      "another tenant's is sent",
      async () => (await knex("outbox").where({ tenant: "other", state: "sent" })).length,
    );
    // One more may have been in hand.
    assert.ok(asked <= 203, `${asked}`);
    box.refuse = {};
    await mesh.broker.call("mail.resume", { tenant: "acme" });
    await eventually("the rest is sent", async () => !(await statesIn(knex))["written"]);
    const told = await settings();
    assert.equal(told.stopped, undefined);
    assert.equal(told.week.bounced, 0);
  });

  it("judges what bounced early when there is enough to judge by, though nothing bounces then", async () => {
    await using mesh = await startMesh({
      services: [...services, "services/email/mail.service.ts"],
      env: mailSettings(box.url, { LEADS_MAIL_CONNECTIONS: "1" }),
    });
    const knex = knexOf(mesh);
    await knex("mail_tenants").insert({ tenant: "acme" });
    const day = knex.raw("(now() at time zone 'UTC')::date");
    await knex("mail_days").insert({ tenant: "acme", epoch: 0, day, sent: 197, bounced: 8 });
    await writeSome(knex, 9);
    const { stopped } = await eventually("it is stopped", async () => {
      const told = await mesh.broker.call<any, object>("mail.settings", { tenant: "acme" });
      return told.stopped && told;
    });
    assert.match(stopped.reason, /^8 of 200 e-mails in seven days bounced \(4\.00 %; the limit is 2 %\)$/);
    // One more may have been in hand.
    assert.ok(box.received.length <= 4, String(box.received.length));
  });

  it("keeps a tenant's day, and goes on when the limit is raised", async () => {
    await using mesh = await startMesh({
      services: [...services, "services/email/mail.service.ts"],
      env: mailSettings(box.url),
    });
    const change = (params: object) => mesh.broker.call<any, object>("mail.change", { tenant: "acme", ...params });
    await change({ dayLimit: 3 });
    const knex = knexOf(mesh);
    await writeSome(knex, 8);
    await states(knex, { sent: 3, written: 5 });
    await eventually("it rests till tomorrow", async () => (await knex("mail_tenants").first()).rests_until !== null);
    assert.deepEqual((await change({ dayLimit: null })).today, { taken: 3, allowed: 5_000 });
    await states(knex, { sent: 8 });
  });

  it("takes an unsubscription in while the database is away, and sends nothing before it is on the list", async () => {
    await using place = await testPlace(mailSettings(box.url));
    const mail = "services/email/mail.service.ts";
    // Nothing listens there.
    const LEADS_DATABASE_URL = "postgres://postgres@127.0.0.1:9/away";
    await using away = await startMesh({ services: [mail], place, env: { LEADS_DATABASE_URL } });
    const knex = openDatabase({ ...place.settings, databasePool: 2 });
    try {
      const [quits, stays] = await writeSome(knex, 2);
      const link = { purpose: "unsubscribe", tenant: "acme", address: addressHash(quits!.to) } as const;
      const token = signLink(link, place.settings.linkSecrets, Date.now());
      const post = (word: string) => away.broker.call<{ status: number }, object>("mail.unsubscribe", { token: word });
      for (let n = 0; n < 2; n++) assert.equal((await post(token)).status, 200);
      assert.equal((await post(`${token}x`)).status, 403);
      assert.deepEqual(await knex("suppressions"), []);
      await using _sending = await startMesh({ services, place });
      await states(knex, { suppressed: 1, sent: 1 });
      assert.deepEqual(
        box.received.map(({ messageId }) => messageId),
        [stays!.messageId],
      );
      const listed = await knex("suppressions").select("tenant", "address", "reason");
      assert.deepEqual(listed, [{ tenant: "acme", address: addressHash(quits!.to), reason: "unsubscribed" }]);
    } finally {
      await knex.destroy();
    }
  });

  it("sends nothing again to whoever unsubscribed before a soft bounce or an operator made it due", async () => {
    await using mesh = await start();
    const knex = knexOf(mesh);
    const [mail, later] = await writeSome(knex, 2, { tenant: "careful" });
    await states(knex, { sent: 2 });
    await suppress(knex, [{ tenant: "careful", address: addressHash(later!.to), reason: "unsubscribed" }]);
    await knex("outbox").update({ state: "written", due_at: knex.fn.now() });
    await states(knex, { sent: 1, suppressed: 1 });
    assert.equal(box.counts.get(mail!.messageId), 2);
    assert.equal(box.counts.get(later!.messageId), 1);
  });
});
