import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { screenshotKey } from "../../../config/names.ts";
import { ObjectStore } from "../../../mixins/object-store.ts";
import { addressHash } from "../../../services/email/recipient.ts";
import { marksOf } from "../../../services/intake/marks.ts";
import { audit } from "../../../services/leads/audit.ts";
import { keepRaw } from "../../../services/leads/raw.sql.ts";
import { put } from "../../support/actor.ts";
import { eventually } from "../../support/eventually.ts";
import {
  generous,
  postBulk,
  postLead,
  stages,
  startGateway,
  type TestGateway,
  throughAllStages,
} from "../../support/gateway.ts";
import { aLead } from "../../support/leads.ts";
import { recordLog, tracesOf } from "../../support/traces.ts";

interface Erasure {
  id: string;
  leads: string[];
  state: "sweeping" | "done";
  did: Record<string, number>;
}

describe("erasing a person", function () {
  this.timeout(60_000);
  let sites: Server;
  let gateway: TestGateway;
  let secret: string;
  const log = { text: () => "" } as ReturnType<typeof recordLog>;

  before(async () => {
    // Each site says whose it is.
    sites = createServer((req, res) => {
      const name = req.headers.host!.split(".")[0];
      if (req.url === "/robots.txt") return res.writeHead(404).end();
      res.setHeader("content-type", "text/html");
      return res.end(
        `<!doctype html><title>${name} of Chicago</title><a href="mailto:hello@${name}.example">${name}</a>`,
      );
    }).listen(0, "127.0.0.1");
    await once(sites, "listening");
    Object.assign(log, recordLog());
    gateway = await startGateway({
      services: [
        ...stages,
        ...["budget", "rights", "pagespeed", "semrush"].map((name) => `services/${name}/${name}.service.ts`),
      ],
      env: {
        ...generous,
        LEADS_FETCH: "generator",
        LEADS_GENERATOR_URL: `http://127.0.0.1:${(sites.address() as AddressInfo).port}`,
        LEADS_LOG_LEVEL: "info",
        LEADS_ERASE_AGAIN_MS: "300",
      },
    });
    ({ secret } = await gateway.key("acme", "ingest", "read", "operate"));
  });
  after(async () => {
    await gateway?.[Symbol.asyncDispose]();
    log[Symbol.dispose]?.();
    sites.closeAllConnections();
    sites.close();
  });

  const knex = () => gateway.resources.databases.of("acme");
  const pictures = () => new ObjectStore(gateway.resources.nats, gateway.names.objects.screenshots);
  const newMark = () => `mark${randomUUID().slice(0, 8)}`;
  const phoneOf = (mark: string) => `+1312${String((Number.parseInt(mark.slice(4), 16) % 8_000_000) + 2_000_000)}`;
  const told = (mark: string, given: object = {}) => ({
    name: `${mark} Bakery`,
    email: `owner@${mark}.example`,
    phone: phoneOf(mark),
    website: `https://${mark}.example/`,
    street: `12 ${mark} Street`,
    city: "Chicago",
    zip: "60601",
    source: "crm",
    sourceId: `id of ${mark}`,
    ...given,
  });
  const send = async (method: string, path: string) => {
    const answer = await gateway.call(secret, path, { method });
    return { status: answer.status, body: (await answer.json()) as any };
  };
  async function erase(id: string): Promise<Erasure> {
    const { status, body } = await send("DELETE", `/v1/leads/${id}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }
  const done = (id: string) =>
    eventually("the erasure is done", async () => {
      const erasure = await erase(id);
      return erasure.state === "done" ? erasure : undefined;
    });
  async function conserved(): Promise<{ erased: number; accepted: number }> {
    const { nats, names, settings } = gateway;
    const { broken, ...counts } = await audit({ nats, names, settings });
    assert.deepEqual(broken, []);
    return counts;
  }
  const stateOf = async (id: string) => (await knex()("leads").where({ lead_id: id }).first())?.state;

  it("leaves nothing of one who passed all stages: record, e-mail, ledger, caches, bucket, log", async () => {
    const mark = newMark();
    const { body } = await postLead(gateway, secret, told(mark), { "Idempotency-Key": `key of ${mark}` });
    const id: string = body.id;
    await eventually("it has passed", async () => (await stateOf(id)) === "completed");
    const reserved = await gateway.broker.call<any, object>("budget.reserve", {
      tenant: "acme",
      effectKey: `pagespeed ${id} 1`,
      provider: "pagespeed",
      leadId: id,
      amountMicro: 5,
      essential: true,
    });
    await gateway.broker.call("budget.settle", {
      tenant: "acme",
      effectKey: `pagespeed ${id} 1`,
      reservation: reserved.reservation,
      answer: { page: `https://${mark}.example/` },
    });
    await keepRaw(knex(), [
      { tenant: "acme", source: "crm", sourceId: `id of ${mark}`, leadId: id, marks: [], answer: { name: mark } },
    ]);
    await pictures().put(screenshotKey("acme", id), Buffer.from(`a picture of ${mark}`));
    const { cacher } = gateway.broker;
    const keyOf = (action: string, keys: string[], params: object) =>
      cacher!.getCacheKey({ name: action } as never, { keys } as never, { params } as never);
    // As the two services' answers would be kept.
    const kept = [
      keyOf("pagespeed.facts", ["url"], { url: `https://${mark}.example/` }),
      keyOf("semrush.facts", ["domain", "country"], { domain: `${mark}.example`, country: "US" }),
    ];
    for (const key of kept) await cacher!.set(key, { about: mark });
    const before = String(await tracesOf(gateway, mark));
    for (const place of [
      "leads",
      "outbox",
      "budget_entries",
      "listing_raw",
      "OBJ_",
      gateway.settings.redisUrl && "redis",
    ])
      assert.ok(before.includes(place), `${place}: ${before}`);

    const { id: erasureId, did } = await erase(id);
    // Its web site is known until the caches have been looked through a second time.
    assert.deepEqual(await tracesOf(gateway, mark), ["table erasures"]);
    assert.equal(did.leads, 1);
    assert.equal(did.mails, 1);
    assert.equal(did.answers, 1);
    assert.equal(did.idempotency, 1);
    assert.deepEqual([did.listings, did.pictures], [1, 1]);
    assert.equal(did.cached, 3, "the site, PageSpeed's and SEMrush's facts");
    for (const key of kept) assert.equal((await cacher!.get(key)) ?? null, null);
    assert.ok(did.keys! > 0);
    assert.doesNotMatch(log.text(), new RegExp(mark, "i"));
    assert.ok(log.text().includes(erasureId), "the log is listened to");

    const mail = await knex()("outbox").where({ lead_id: id }).first();
    assert.equal(mail.state, "cancelled");
    assert.deepEqual(mail.address, addressHash(`owner@${mark}.example`), "the hash is kept");
    const suppressed = await knex()("suppressions").where({ address: addressHash(`owner@${mark}.example`) });
    assert.deepEqual(
      suppressed.map(({ reason }) => reason),
      ["erased"],
    );
    const { body: shown } = await send("GET", `/v1/leads/${id}`);
    assert.deepEqual([shown.status, shown.fields, shown.timeline, shown.mockup], ["erased", {}, [], false]);
    assert.equal((await send("GET", `/v1/leads/${id}/mockup`)).status, 404);

    const again = await done(id);
    assert.deepEqual(again.leads, [id]);
    assert.deepEqual(await tracesOf(gateway, mark), []);
    await conserved();
  });

  it("keeps that an e-mail was sent, not to whom, what it said, or that it was read", async () => {
    const mark = newMark();
    const { id } = await throughAllStages(gateway, secret, told(mark));
    await knex()("outbox")
      .where({ lead_id: id })
      .update({ state: "sent", sent_at: new Date(), due_at: null, opened: true });
    await erase(id);
    const mail = await knex()("outbox").where({ lead_id: id }).first();
    assert.equal(mail.state, "sent");
    assert.ok(mail.sent_at);
    assert.equal(mail.opened, false);
    await done(id);
    assert.deepEqual(await tracesOf(gateway, mark), []);
  });

  it("erases all that was merged, whichever of the leads is named", async () => {
    const mark = newMark();
    const winner = await throughAllStages(gateway, secret, told(mark));
    const loser = await postLead(gateway, secret, told(mark, { sourceId: `another ${mark}`, vertical: mark }));
    await eventually("they are one", async () => (await stateOf(loser.body.id)) === "merged");
    assert.ok(!(await tracesOf(gateway, mark)).includes("table merges"), "a merge keeps nobody's fields");

    const { leads } = await erase(loser.body.id);
    assert.deepEqual([...leads].sort(), [winner.id, loser.body.id].sort());
    assert.deepEqual([await stateOf(winner.id), await stateOf(loser.body.id)], ["erased", "erased"]);
    assert.equal((await erase(winner.id)).id, (await erase(loser.body.id)).id, "it is one erasure");
    await done(winner.id);
    assert.deepEqual(await tracesOf(gateway, mark), []);
    await conserved();
  });

  it("answers the same person again with 409, and an upload's row with the reason, until the tombstone is lifted", async () => {
    const mark = newMark();
    const { id } = await throughAllStages(gateway, secret, told(mark));
    const { id: tombstone } = await erase(id);
    const sayings = {
      "the same source id": told(mark),
      "the same e-mail": { name: "Quite Another", email: `OWNER@${mark}.example`, source: "crm", sourceId: "other" },
      "the same phone": { name: "Quite Another", phone: phoneOf(mark), source: "x", sourceId: "phone" },
    };
    for (const [what, saying] of Object.entries(sayings)) {
      await eventually(`${what} is refused`, async () => {
        const { status, body } = await postLead(gateway, secret, saying);
        return status === 409 && body.type === "urn:leadfactory:error:erased";
      });
    }
    const rows = Object.values(sayings).map((row) => `${JSON.stringify(row)}\n`);
    const { body: upload } = await postBulk(
      gateway,
      secret,
      [...rows, '{"name":"A Stranger","city":"Elgin"}\n'].join(""),
    );
    assert.deepEqual([upload.accepted, upload.refused], [1, 3]);
    assert.deepEqual(upload.refusedRows[0].faults, [{ field: "lead", message: "erased" }]);
    await done(id);
    assert.deepEqual(await tracesOf(gateway, mark), []);

    assert.equal((await send("DELETE", `/v1/tombstones/${tombstone}`)).status, 200);
    await eventually("it is taken", async () => (await postLead(gateway, secret, told(mark))).status === 202);
    await eventually("it has passed again", async () => (await stateOf(id)) === "completed", { withinMs: 10_000 });
    assert.equal((await knex()("leads").where({ lead_id: id }).first()).name, `${mark} Bakery`);
    const suppressed = await knex()("suppressions").where({ address: addressHash(`owner@${mark}.example`) });
    assert.deepEqual(suppressed, []);
    await conserved();
    // And may be erased again.
    assert.notEqual((await erase(id)).id, tombstone);
    await done(id);
    assert.deepEqual(await tracesOf(gateway, mark), []);
  });

  it("ends a late message or an import of the person as erased where no process knows of it any more, and stores nothing", async () => {
    const mark = newMark();
    const { id } = await throughAllStages(gateway, secret, told(mark));
    await erase(id);
    await done(id);
    // As after thirty days.
    const kv = await gateway.nats.jetstream().views.kv(gateway.names.bucket.erased);
    for (const { mark: key } of await knex()("tombstones").select("mark")) await kv.delete(`acme.${key}`);
    await eventually(
      "the edge has forgotten",
      async () => (await postLead(gateway, secret, told(mark))).status === 202,
    );
    const fields = { name: `${mark} Bakery`, address: { street: `12 ${mark} Street`, zip: "60601" } };
    const late = [
      aLead({ leadId: id, revision: Date.now() + 1_000, fields }),
      aLead({ fields: { name: mark, email: `owner@${mark}.example` } }),
      aLead({ fields }),
      aLead({ fields: { name: `${mark.toUpperCase()}-bakery`, domain: `${mark}.example` } }),
    ];
    const stranger = aLead({ fields: { name: "A Stranger", address: { street: "1 Main Street", zip: "60601" } } });
    await put(gateway, "dedupe", "bulk", [...late, stranger]);
    await eventually("the stranger has passed", async () => (await stateOf(stranger.leadId)) === "completed");
    for (const { leadId } of late) assert.equal(await stateOf(leadId), "erased");
    // One that another stage would end or bury.
    const ended = aLead({ fields: { name: mark, email: `owner@${mark}.example` } });
    await put(gateway, "email", "bulk", [ended]);
    await eventually("it has ended", async () => (await stateOf(ended.leadId)) === "erased");
    // Nor has anybody been asked about it: what others say of it would be kept.
    await eventually("nothing is on its way", async () => (await tracesOf(gateway, mark)).length === 0);
    await conserved();
  });

  it("has the edge and the database make the same marks", async () => {
    const leads = [
      aLead({ fields: { name: "Zoë’s Café", email: "ZOË@Cafés.example", phone: "+13125550142" } }),
      aLead({ fields: { name: "x", email: "a@b.example" } }),
      aLead({ fields: { name: "x" } }),
    ];
    for (const lead of leads) {
      const { rows } = await knex().raw("select lead_marks(?, ?::uuid, ?::jsonb) as marks", [
        lead.tenant,
        lead.leadId,
        JSON.stringify(lead.fields),
      ]);
      assert.deepEqual(rows[0].marks, marksOf(lead));
    }
  });
});
