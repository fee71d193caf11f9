import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { screenshotKey } from "../../config/names.ts";
import { ObjectStore } from "../../mixins/object-store.ts";
import { operations } from "../../services/gateway/operations.ts";
import { buried } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import {
  generous,
  operators,
  postBulk,
  postLead,
  stages,
  startGateway,
  type TestGateway,
  throughAllStages,
} from "../support/gateway.ts";
import { askedAbout } from "../support/reviews.ts";

const lead = {
  name: "Corner Bakery",
  email: "info@corner-bakery.example",
  city: "Chicago",
  source: "crm",
  sourceId: "17",
};

const forgotten = { name: "Gone Bakery", email: "owner@gone.example" };

describe("a tenant", () => {
  let gateway: TestGateway;
  let acme: string;
  let acmeOperator: string;
  let zenith: string;
  /** A key of a third tenant, with all scopes but platform. */
  let stranger: string;
  /** A dead letter of acme's. */
  let letter: string;
  /** A lead of acme's that has passed all stages. */
  let passed: any;

  before(async function () {
    this.timeout(60_000);
    gateway = await startGateway({
      services: [
        ...stages,
        ...operators,
        ...["analytics", "budget", "rights"].map((name) => `services/${name}/${name}.service.ts`),
      ],
      env: { ...generous, LEADS_ERASE_AGAIN_MS: "200" },
    });
    acme = (await gateway.key("acme", "ingest", "read")).secret;
    acmeOperator = (await gateway.key("acme", "ingest", "read", "operate")).secret;
    zenith = (await gateway.key("zenith", "ingest", "read", "operate", "platform")).secret;
    stranger = (await gateway.key("other", "ingest", "read", "operate")).secret;
    passed = await throughAllStages(gateway, acme, lead);
    letter = await buried(gateway, "acme");
  });
  after(() => gateway?.[Symbol.asyncDispose]());
  const read = async (secret: string, path: string) => {
    const answer = await gateway.call(secret, path);
    return { status: answer.status, text: await answer.text() };
  };

  const send = async (secret: string, method: string, path: string, body?: object) => {
    const json = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const answer = await gateway.call(secret, path, { method, ...(body && json) });
    return { status: answer.status, body: (await answer.json()) as any };
  };

  /** Takes in a lead of acme's; answers its id. */
  const another = async () =>
    (await postLead(gateway, acme, { ...forgotten, email: `${randomUUID()}@gone.example` })).body.id;

  /** One test a route that needs a key: none can be added without one. */
  const tests: Record<string, () => Promise<void>> = {
    async createLead() {
      const { body } = await postLead(gateway, zenith, lead);
      assert.notEqual(body.id, passed.id, "the same source id is another lead for another tenant");
      const claimed = await postLead(gateway, zenith, { ...lead, tenant: "acme" });
      assert.equal(claimed.status, 422);
      assert.deepEqual(claimed.body.faults[0].field, "tenant");
      assert.equal((await read(acme, `/v1/leads/${body.id}`)).status, 404);
    },
    async createLeads() {
      const rows = `${JSON.stringify({ ...lead, tenant: "acme" })}\n${JSON.stringify({ ...lead, sourceId: "18" })}\n`;
      const { body } = await postBulk(gateway, zenith, rows);
      assert.equal(body.accepted, 1);
      const ids = async (secret: string) => (await read(secret, "/v1/leads?source=crm")).text;
      await eventually("it is on record", async () => (await ids(zenith)).includes('"sourceId":"18"'));
      assert.ok(!(await ids(acme)).includes('"sourceId":"18"'));
    },
    async listLeads() {
      const byMail = await read(acme, "/v1/leads?q=info@corner-bakery.example");
      assert.ok(byMail.text.includes(passed.id), byMail.text);
      for (const query of ["", "?status=completed", "?q=info@corner-bakery.example", "?source=crm", "?sort=score"]) {
        const { status, text } = await read(zenith, `/v1/leads${query}`);
        assert.equal(status, 200);
        assert.ok(!text.includes(passed.id), query);
      }
      assert.equal((await read(zenith, "/v1/leads?tenant=acme")).status, 422);
    },
    async getLead() {
      assert.equal((await read(acme, `/v1/leads/${passed.id}`)).status, 200);
      assert.equal((await read(zenith, `/v1/leads/${passed.id}`)).status, 404);
      // And while it is on its way, when only the streams know it.
      const { body } = await postLead(gateway, acme, { name: "New Bakery", city: "Chicago" });
      assert.equal((await read(zenith, `/v1/leads/${body.id}`)).status, 404);
    },
    async getMockup() {
      assert.equal((await read(acme, `/v1/leads/${passed.id}/mockup`)).status, 200);
      assert.equal((await read(zenith, `/v1/leads/${passed.id}/mockup`)).status, 404);
    },
    async listOutbox() {
      assert.ok((await read(acme, "/v1/outbox")).text.includes(passed.id));
      assert.ok(!(await read(zenith, "/v1/outbox")).text.includes(passed.id));
      assert.equal((await read(zenith, "/v1/outbox?tenant=acme")).status, 422);
    },
    async settleMail() {
      const outbox = () => gateway.resources.databases.of("acme")("outbox").where({ lead_id: passed.id });
      await outbox().update({ state: "unknown" });
      const path = `/v1/outbox/${passed.id}/settle`;
      assert.equal((await send(zenith, "POST", path, { as: "sent" })).status, 404);
      assert.equal((await send(zenith, "POST", path, { as: "sent", tenant: "acme" })).status, 422);
      assert.equal((await outbox().first()).state, "unknown");
      await outbox().update({ state: "written" });
    },
    async listReviews() {
      const { id } = await askedAbout(gateway, acmeOperator);
      assert.ok(!(await read(zenith, "/v1/reviews?limit=200")).text.includes(id));
      assert.equal((await read(zenith, "/v1/reviews?tenant=acme")).status, 422);
    },
    async decideReview() {
      const { id } = await askedAbout(gateway, acmeOperator);
      assert.equal((await send(zenith, "POST", `/v1/reviews/${id}`, { decision: "merge" })).status, 404);
      assert.equal(
        (await send(zenith, "POST", `/v1/reviews/${id}`, { decision: "merge", tenant: "acme" })).status,
        422,
      );
      assert.ok((await read(acmeOperator, "/v1/reviews?limit=200")).text.includes(id), "it is open still");
    },
    async unmergeLead() {
      const { id, leads } = await askedAbout(gateway, acmeOperator);
      const { body } = await send(acmeOperator, "POST", `/v1/reviews/${id}`, { decision: "merge" });
      const loser = leads.find((side) => side.id !== body.winner)!;
      assert.equal((await send(zenith, "POST", `/v1/leads/${loser.id}/unmerge`)).status, 404);
      assert.equal((await send(acme, "GET", `/v1/leads/${loser.id}`)).body.status, "merged");
    },
    async getBudget() {
      const order = { effectKey: "a-call-of-acmes", provider: "pagespeed", amountMicro: 1_000, essential: true };
      await gateway.broker.call("budget.reserve", { tenant: "acme", ...order });
      assert.notEqual((await read(acme, "/v1/budget")).text, (await read(zenith, "/v1/budget")).text);
      assert.equal((await read(zenith, "/v1/budget?tenant=acme")).status, 422);
    },
    async getAnalytics() {
      await eventually("it is counted", async () => (await send(acme, "GET", "/v1/analytics")).body.totals.takenIn > 0);
      assert.equal((await send(stranger, "GET", "/v1/analytics")).body.totals.takenIn, 0);
      for (const tenant of ["acme", "*"])
        assert.equal((await read(stranger, `/v1/analytics?tenant=${tenant}`)).status, 403);
      const all = await send(zenith, "GET", "/v1/analytics?tenant=*&by=tenant");
      assert.ok(
        all.body.items.some((item: any) => item.key === "acme" && item.takenIn > 0),
        "but by a platform key",
      );
      assert.doesNotMatch((await read(acme, "/v1/analytics?by=tenant")).text, /zenith/);
    },
    async getRuleFigures() {
      const { fired } = passed.score;
      await eventually("it is counted", async () =>
        (await read(acme, "/v1/analytics/rules")).text.includes(fired[0].name),
      );
      assert.deepEqual((await send(stranger, "GET", "/v1/analytics/rules")).body.items, []);
      assert.equal((await read(stranger, "/v1/analytics/rules?tenant=acme")).status, 403);
    },
    async getLogs() {
      // What is everybody's takes a platform key: a tenant's own sees none of it.
      assert.equal((await read(acme, "/v1/logs")).status, 403);
    },
    async getMail() {
      await gateway.broker.call("mail.change", { tenant: "acme", dayLimit: 17 });
      assert.equal((await send(acme, "GET", "/v1/mail")).body.dayLimit, 17);
      assert.equal((await send(zenith, "GET", "/v1/mail")).body.dayLimit, null);
    },
    async changeMail() {
      assert.equal((await send(zenith, "PUT", "/v1/mail", { dayLimit: 3, tenant: "acme" })).status, 422);
      assert.equal((await send(zenith, "PUT", "/v1/mail", { dayLimit: 4 })).body.dayLimit, 4);
      assert.notEqual((await send(acme, "GET", "/v1/mail")).body.dayLimit, 4);
    },
    async eraseLead() {
      assert.equal((await send(zenith, "DELETE", `/v1/leads/${passed.id}`)).status, 404);
      assert.ok((await read(acme, `/v1/leads/${passed.id}`)).text.includes("Corner Bakery"));
    },
    async listTombstones() {
      await gateway.broker.call("rights.erase", { tenant: "acme", id: await another() });
      assert.deepEqual((await send(zenith, "GET", "/v1/tombstones")).body.items, []);
      assert.equal((await send(zenith, "GET", "/v1/tombstones?tenant=acme")).status, 422);
    },
    async liftTombstone() {
      const erased = () =>
        gateway.broker.call<{ id: string; state: string }, object>("rights.erase", { tenant: "acme", id });
      const id = (await postLead(gateway, acme, forgotten)).body.id;
      await eventually("it is erased", async () => (await erased()).state === "done");
      assert.equal((await send(zenith, "DELETE", `/v1/tombstones/${(await erased()).id}`)).status, 404);
      // The same who was erased for acme is a lead like any other for zenith.
      assert.equal((await postLead(gateway, zenith, forgotten)).status, 202);
      assert.equal((await postLead(gateway, acme, forgotten)).status, 409);
    },
    async getScreenshot() {
      const store = new ObjectStore(gateway.resources.nats, gateway.names.objects.screenshots);
      await store.put(screenshotKey("acme", passed.id), Buffer.from("a picture of acme's"));
      const shown = await gateway.call(acme, `/v1/leads/${passed.id}/screenshot`);
      assert.deepEqual(
        [shown.status, shown.headers.get("content-type"), await shown.text()],
        [200, "image/jpeg", "a picture of acme's"],
      );
      assert.equal((await read(zenith, `/v1/leads/${passed.id}/screenshot`)).status, 404);
    },
    async getSettings() {
      await gateway.broker.call("leads.choose", { tenant: "acme", tier: 3 });
      assert.deepEqual((await send(acme, "GET", "/v1/settings")).body, { tier: 3 });
      assert.deepEqual((await send(zenith, "GET", "/v1/settings")).body, { tier: 1 });
    },
    async changeSettings() {
      assert.equal((await send(zenith, "PUT", "/v1/settings", { tier: 2, tenant: "acme" })).status, 422);
      assert.deepEqual((await send(zenith, "PUT", "/v1/settings", { tier: 2 })).body, { tier: 2 });
      assert.notEqual((await send(acme, "GET", "/v1/settings")).body.tier, 2);
    },
    async resumeMail() {
      const stop = { stopped_at: new Date(), stopped_reason: "a test" };
      const tenants = gateway.resources.databases.of("acme")("mail_tenants");
      await tenants
        .insert({ tenant: "acme", ...stop })
        .onConflict("tenant")
        .merge();
      assert.equal((await send(zenith, "POST", "/v1/mail/resume", {})).status, 200);
      assert.equal((await send(acme, "GET", "/v1/mail")).body.stopped.reason, "a test");
    },
    async listDeadLetters() {
      assert.ok((await read(acme, "/v1/dead-letters")).text.includes(letter));
      assert.ok(!(await read(stranger, "/v1/dead-letters")).text.includes(letter));
      for (const tenant of ["acme", "*"])
        assert.equal((await read(stranger, `/v1/dead-letters?tenant=${tenant}`)).status, 403);
      assert.ok((await read(zenith, "/v1/dead-letters?tenant=acme")).text.includes(letter), "but by a platform key");
    },
    async countDeadLetters() {
      assert.equal((await send(acme, "GET", "/v1/dead-letters/counts")).body.total, 1);
      assert.equal((await send(stranger, "GET", "/v1/dead-letters/counts")).body.total, 0);
      assert.equal((await read(stranger, "/v1/dead-letters/counts?tenant=*")).status, 403);
    },
    async getDeadLetter() {
      assert.equal((await read(acme, `/v1/dead-letters/${letter}`)).status, 200);
      assert.equal((await read(stranger, `/v1/dead-letters/${letter}`)).status, 404);
    },
    async redriveDeadLetters() {
      const tried = await send(stranger, "POST", "/v1/dead-letters/redrive", { ids: [letter], dryRun: true });
      assert.deepEqual([tried.status, tried.body.matched], [200, 0]);
      const named = { ids: [letter], tenant: "acme" };
      assert.equal((await send(stranger, "POST", "/v1/dead-letters/redrive", named)).status, 403);
      assert.equal(
        (await send(acme, "POST", "/v1/dead-letters/redrive", { ids: [letter] })).status,
        403,
        "acme's key may not",
      );
    },
    async discardDeadLetters() {
      const asked = { ids: [letter], reason: "not theirs", dryRun: true };
      assert.equal((await send(stranger, "POST", "/v1/dead-letters/discard", asked)).body.matched, 0);
      assert.equal((await send(stranger, "POST", "/v1/dead-letters/discard", { ...asked, tenant: "*" })).status, 403);
    },
    async listDeadLetterJobs() {
      const { body } = await send(zenith, "POST", "/v1/dead-letters/redrive", {
        filter: { stage: "none" },
        tenant: "acme",
      });
      assert.ok((await read(acme, "/v1/dead-letters/jobs")).text.includes(body.id));
      assert.ok(!(await read(stranger, "/v1/dead-letters/jobs")).text.includes(body.id));
      assert.equal((await read(stranger, `/v1/dead-letters/jobs/${body.id}`)).status, 404);
    },
    async getDeadLetterJob() {
      const { body } = await send(zenith, "POST", "/v1/dead-letters/redrive", { filter: { stage: "none" } });
      assert.equal((await read(zenith, `/v1/dead-letters/jobs/${body.id}`)).status, 200);
      assert.equal((await read(acme, `/v1/dead-letters/jobs/${body.id}`)).status, 404);
    },
    async cancelDeadLetterJob() {
      const { body } = await send(zenith, "POST", "/v1/dead-letters/redrive", { filter: { stage: "none" } });
      assert.equal((await send(stranger, "POST", `/v1/dead-letters/jobs/${body.id}/cancel`, {})).status, 404);
    },
    async whyLead() {
      assert.equal((await read(acme, `/v1/leads/${passed.id}/why`)).status, 200);
      assert.equal((await read(zenith, `/v1/leads/${passed.id}/why`)).status, 404);
      // What is everybody's, who does what to a stage and why, is not told with it.
      await send(zenith, "POST", "/v1/stages/score/pause", { reason: "zenith has other rules" });
      const id = await another();
      const why = await eventually("it waits for the pause to end", async () => {
        const { body } = await send(acme, "GET", `/v1/leads/${id}/why`);
        return body.waitsFor === "a pause to end" && body;
      });
      await send(zenith, "POST", "/v1/stages/score/resume", {});
      assert.deepEqual([why.stage, why.where], ["score", "mailbox"]);
      assert.doesNotMatch(why.text, /zenith|by key/);
    },
    async listOperations() {
      await send(zenith, "PUT", "/v1/mail", { dayLimit: 5 });
      await eventually("zenith's act is in its log", async () =>
        (await read(zenith, "/v1/operations")).text.includes("mail.change"),
      );
      assert.ok(!(await read(stranger, "/v1/operations")).text.includes("mail.change"));
      assert.equal((await read(stranger, "/v1/operations?tenant=zenith")).status, 403);
    },
    async events() {
      const heard = async (secret: string) => {
        const answer = await gateway.call(secret, "/v1/events");
        const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
        const until = new Set<string>();
        void (async () => {
          for (;;) {
            const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
            if (done) return;
            until.add(value!);
          }
        })();
        return { text: () => [...until].join(""), end: () => reader.cancel() };
      };
      const [mine, theirs] = [await heard(acme), await heard(stranger)];
      await eventually("both listen", () => mine.text().includes("retry") && theirs.text().includes("retry"));
      await buried(gateway, "acme");
      await eventually("acme hears of its letter", () => mine.text().includes("event: dead-letters"));
      assert.doesNotMatch(theirs.text(), /event:/);
      await Promise.all([mine.end(), theirs.end()]);
    },
    async listImports() {
      await postBulk(gateway, acme, `${JSON.stringify({ ...forgotten, name: "Imported" })}\n`);
      await eventually("acme sees its import", async () =>
        /"tenant":"acme".*"flow"/.test((await read(acme, "/v1/imports")).text),
      );
      assert.doesNotMatch((await read(stranger, "/v1/imports")).text, /acme/);
    },
    ...Object.fromEntries(
      (
        ["listStages", "stageHistory", "getRunbook", "pauseStage", "resumeStage", "listStreams", "listNodes"] as const
      ).map((id) => [
        id,
        async () => {
          const { method, path } = operations.find((operation) => operation.id === id)!;
          const body = method === "POST" ? { reason: "not theirs" } : undefined;
          assert.equal((await send(stranger, method, path.replace("{name}", "score"), body)).status, 403);
        },
      ]),
    ),
  };
  for (const { id, scope } of operations)
    if (scope !== null) it(`reaches nothing of another's by ${id}`, () => tests[id]!());

  it("is not told by what needs no key", async () => {
    for (const { path, scope } of operations)
      if (scope === null) assert.doesNotMatch((await read("", path)).text, /acme|zenith|bakery/i, path);
  });
});
