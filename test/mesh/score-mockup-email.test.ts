import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addressHash } from "../../services/email/recipient.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { entriesOf } from "../../services/leads/timeline.ts";
import { eventually } from "../support/eventually.ts";
import { aLead } from "../support/leads.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { acceptLive, quick, quiet } from "../support/stages.ts";

const stages = ["score", "mockup", "email"];
const flow = stages.map((name) => ({ name, ...quick }));
const services = [...stages.map((name) => `services/${name}/${name}.service.ts`), "services/leads/leads.service.ts"];
const start = (env: Record<string, string> = {}) => startMesh({ flow, services, env });

const fields = (name: string, email?: string) => ({ name, phone: "+13125550100", ...(email && { email }) });
/** Has no web site: scores 75 with an e-mail address, 53 without. */
const poor = (email?: string, given: Partial<Lead> = {}) => aLead({ fields: fields("Poor Presence", email), ...given });
const modernFacts = { pagespeed: { performance: 97, viewport: true, tapTargets: 1 } };

const rowOf = (mesh: TestMesh, lead: Lead) =>
  mesh.resources.databases.of(lead.tenant)("leads").where({ lead_id: lead.leadId, tenant: lead.tenant }).first();
const mails = (mesh: TestMesh, ...leads: Lead[]) =>
  mesh.resources.databases
    .of("acme")("outbox")
    .whereIn(
      "lead_id",
      leads.map(({ leadId }) => leadId),
    );

async function pass(mesh: TestMesh, ...leads: Lead[]): Promise<void> {
  await acceptLive(mesh, leads);
  for (const lead of leads)
    await eventually(`the end of ${lead.fields.name}`, () => rowOf(mesh, lead), { withinMs: 30_000 });
  await quiet(mesh, stages);
}

describe("score, mock-up and e-mail", function () {
  this.timeout(60_000);

  it("take each lead to the end that fits it, with its score, its mock-up and its reason", async () => {
    await using mesh = await start();
    const written = poor("Info@Joes.example");
    const noEmail = poor(undefined, { fields: { ...fields("No e-mail"), vertical: "brewery" } });
    const suppressed = poor("stop@joes.example");
    const low = aLead({ fields: { ...fields("Low", "low@joes.example"), website: "https://low.example/" } });
    const modern = aLead({ fields: fields("Modern", "modern@joes.example"), facts: modernFacts });
    await mesh.resources.databases
      .of("acme")("suppressions")
      .insert({ tenant: "acme", address: addressHash("stop@joes.example"), reason: "asked" });
    await pass(mesh, written, noEmail, suppressed, low, modern);
    // The same address as one that was written to; after it, so that it is the second.
    const second = poor("info@joes.EXAMPLE");
    await pass(mesh, second);

    const ends: [Lead, string, string, boolean][] = [
      [written, "outbox", "email", true],
      [second, "already_written_to", "email", true],
      [noEmail, "no_email", "email", true],
      [suppressed, "suppressed", "email", true],
      [low, "below_threshold", "email", false],
      [modern, "modern_site", "score", false],
    ];
    for (const [lead, reason, stage, hasMockup] of ends) {
      const row = await rowOf(mesh, lead);
      assert.deepEqual(
        { state: row.state, reason: row.reason, stage: row.stage, hasMockup: row.mockup !== null },
        { state: "completed", reason, stage, hasMockup },
        lead.fields.name,
      );
      assert.equal(row.score, row.score_detail.value);
      assert.match(row.score_detail.version, /^[0-9a-f]{16}$/);
    }
    const row = await rowOf(mesh, written);
    assert.deepEqual(row.score_detail.fired, [{ name: "no_website", points: 25 }]);
    assert.equal(row.score, 75);

    const { items, next } = await mesh.broker.call<any, object>("email.outbox", { tenant: "acme", limit: 10 });
    assert.equal(next, null);
    assert.equal(items.length, 1);
    assert.equal(items[0].leadId, written.leadId);
    assert.equal(items[0].to, "Info@Joes.example");
    assert.equal(items[0].state, "written");
    assert.ok(items[0].text.includes(`/v1/leads/${written.leadId}/mockup`));
    assert.ok(items[0].html.includes("We know of no web site of your own"));
  });

  it("render the mock-up of a lead to its own tenant, and nothing where there is none", async () => {
    await using mesh = await start();
    const lead = poor("a@joes.example", {
      fields: { ...fields("Joe's <b>Diner</b>", "a@joes.example"), vertical: "restaurant" },
    });
    const low = aLead({ fields: { ...fields("Low"), website: "https://low.example/" } });
    await pass(mesh, lead, low);
    const render = (tenant: string, id: string) =>
      mesh.broker.call<{ html: string }, object>("mockup.render", { tenant, id });
    const { html } = await render("acme", lead.leadId);
    assert.match(html, /Come hungry\./);
    assert.ok(html.includes("Joe&#39;s &lt;b&gt;Diner&lt;/b&gt;"));
    for (const [tenant, id] of [
      ["other", lead.leadId],
      ["acme", low.leadId],
      ["acme", "00000000-0000-4000-8000-000000000000"],
    ] as const)
      await assert.rejects(render(tenant, id), { type: "NOT_FOUND", code: 404 });
  });

  it("make one e-mail of a lead that comes again, with its later telling too", async () => {
    await using mesh = await start();
    const lead = poor("again@joes.example");
    await pass(mesh, lead);
    await pass(mesh, lead);
    await pass(mesh, { ...lead, revision: lead.revision + 1 });
    assert.equal((await mails(mesh, lead)).length, 1);
    assert.equal((await rowOf(mesh, lead)).reason, "outbox");
  });

  it("make one e-mail of many leads with one address that come at once to two instances", async () => {
    await using first = await start();
    await using _second = await startMesh({ flow, services, place: first });
    const leads = Array.from({ length: 40 }, () => poor("crowd@joes.example"));
    await pass(first, ...leads);
    assert.equal((await mails(first, ...leads)).length, 1);
    const reasons = await Promise.all(leads.map(async (lead) => (await rowOf(first, lead)).reason));
    assert.deepEqual(reasons.toSorted(), [...Array(39).fill("already_written_to"), "outbox"]);
  });

  it("write nothing while the database is away, and go on by themselves", async () => {
    await using mesh = await start({ LEADS_PROBE_MIN_MS: "50", LEADS_PROBE_MAX_MS: "200" });
    const knex = mesh.resources.databases.of("acme");
    const lead = poor("outage@joes.example");
    // Every statement on the outbox waits, and its backend is ended: what a stage sees of a server that goes away.
    const held = await knex.transaction();
    try {
      await held.raw("lock table outbox in access exclusive mode");
      await acceptLive(mesh, [lead]);
      await eventually("a backend to end", async () => {
        // Not on the connection that holds the lock: a transaction sees the same activity till its end.
        const { rows } = await knex.raw(
          "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        return rows.length > 0;
      });
    } finally {
      await held.rollback();
    }
    await eventually("the end", () => rowOf(mesh, lead));
    await quiet(mesh, stages);
    assert.equal((await mails(mesh, lead)).length, 1);
    const { timeline } = await rowOf(mesh, lead);
    // An outage burns no try.
    assert.equal(entriesOf(timeline).at(-1)!.attempt, undefined);
  });

  describe("with a rules file of its own", () => {
    let folder: string;
    let path: string;
    const rules = (points: number) =>
      `rules: [{ name: reachable, description: Can be called, condition: { has_phone_number: true }, score: ${points} }]`;
    const put = async (text: string) => {
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    };
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "rules-"));
      path = join(folder, "rules.yml");
      await put(rules(1));
    });
    afterEach(() => rm(folder, { recursive: true }));

    const inForce = (mesh: TestMesh) => mesh.broker.call<any, object>("score.rules", {});
    const scoreOf = async (mesh: TestMesh) => {
      const lead = poor();
      await pass(mesh, lead);
      return (await rowOf(mesh, lead)).score_detail;
    };

    it("score takes up a changed file without a restart, and refuses a broken one", async () => {
      await using mesh = await start({ LEADS_SCORING_RULES: path });
      const first = await scoreOf(mesh);
      assert.deepEqual(first.fired, [{ name: "reachable", points: 1 }]);
      assert.equal(first.value, 51);
      assert.equal(first.version, (await inForce(mesh)).version);

      await put(rules(7));
      await eventually("the changed rules", async () => (await inForce(mesh)).version !== first.version);
      const second = await scoreOf(mesh);
      assert.equal(second.value, 57);

      const errors: string[] = [];
      const score = mesh.broker.getLocalService("score");
      score.logger.error = (...told: unknown[]) => void errors.push(told.join(" "));
      await put(rules(9).replace("has_phone_number", "has_phone"));
      await eventually("a logged error", () => errors.length > 0);
      assert.match(errors[0]!, /rules\.yml:1: rule "reachable": unknown condition "has_phone"/);
      assert.equal((await scoreOf(mesh)).version, second.version);

      await put(rules(10));
      await eventually("the mended rules", async () => (await inForce(mesh)).version !== second.version);
      assert.equal((await scoreOf(mesh)).value, 60);
    });

    it("a broken file keeps score from starting, and says where it is broken", async () => {
      await put("rules:\n  - name: a\n    condition: { nope: 1 }\n    score: 1\n");
      await assert.rejects(start({ LEADS_SCORING_RULES: path }), /rules\.yml:3: rule "a": unknown condition "nope"/);
    });

    it("tells the rules in force", async () => {
      await using mesh = await start({ LEADS_SCORING_RULES: path });
      const { settings, rules: told } = await inForce(mesh);
      assert.deepEqual(settings, { base_score: 50, min_score: 0, max_score: 100, high_score_threshold: 75 });
      assert.deepEqual(told, [{ name: "reachable", description: "Can be called", points: 1 }]);
    });
  });

  it("refuse a cursor of somebody else's making", async () => {
    await using mesh = await start();
    await assert.rejects(mesh.broker.call("email.outbox", { tenant: "acme", cursor: "nonsense" }), {
      type: "VALIDATION",
      code: 422,
    });
  });
});
