import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Ajv2020 } from "ajv/dist/2020.js";
import { screenshotKey } from "../../config/names.ts";
import { ObjectStore } from "../../mixins/object-store.ts";
import { signLink } from "../../services/email/links.ts";
import { addressHash } from "../../services/email/recipient.ts";
import { buried } from "../support/dead-letters.ts";
import { isDescribed } from "../support/described.ts";
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
import { signPlain } from "../support/mail.ts";
import { askedAbout } from "../support/reviews.ts";

const lead = {
  name: "Corner Bakery",
  email: "info@corner-bakery.example",
  city: "Chicago",
  phone: "773 555 0101",
  foundedYear: "soon",
};

const forgotten = { name: "Gone Bakery", phone: "312 555 0188", source: "crm", sourceId: "gone" };

const linkSecret = "a-secret-of-this-test-that-signs-links";
const eventSecret = "a-secret-of-this-test-that-signs-events";
const unsubscribeToken = () =>
  signLink(
    { purpose: "unsubscribe", tenant: "acme", address: addressHash("stranger@joes.example") },
    [linkSecret],
    Date.now(),
  );
const mockupToken = (leadId: string) =>
  signLink({ purpose: "mockup", tenant: "acme", leadId }, [linkSecret], Date.now());

describe("GET /openapi.json", () => {
  let gateway: TestGateway;
  let secret: string;
  let platform: string;
  let description: any;
  let passed: any;
  const ajv = new Ajv2020({ strict: false, allErrors: true });

  before(async function () {
    this.timeout(60_000);
    gateway = await startGateway({
      services: [
        ...stages,
        ...operators,
        ...["analytics", "budget", "rights"].map((name) => `services/${name}/${name}.service.ts`),
      ],
      env: {
        ...generous,
        LEADS_ERASE_AGAIN_MS: "200",
        LEADS_LINK_SECRETS: linkSecret,
        LEADS_MAIL_EVENT_SECRETS: eventSecret,
      },
    });
    ({ secret } = await gateway.key("acme", "ingest", "read", "operate", "platform"));
    platform = (await gateway.key("operators", "platform")).secret;
    description = await (await fetch(`${gateway.url}/openapi.json`)).json();
    passed = await throughAllStages(gateway, secret, lead);
    ajv.addSchema({ $id: "api", components: description.components });
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  const check = (operationId: string, answer: Parameters<typeof isDescribed>[3]) =>
    isDescribed(ajv, description, operationId, answer);
  const read = (path: string) => told(gateway.call(secret, path));
  const send = (method: string, path: string, body?: object | string, headers: Record<string, string> = {}) =>
    told(
      gateway.call(secret, path, {
        method,
        headers: { ...(body && { "content-type": "application/json" }), ...headers },
        ...(body && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    );
  /** A job that is over soon. */
  const job = async () =>
    (await send("POST", "/v1/dead-letters/redrive", { filter: { stage: "none" } })).body.id as string;
  const told = async (answered: Promise<Response>) => {
    const answer = await answered;
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get("content-type") ?? "");
    return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
  };

  it("is OpenAPI 3.1 that names every schema it uses", () => {
    assert.match(description.openapi, /^3\.1\./);
    for (const [, name] of JSON.stringify(description).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      assert.ok(description.components.schemas[name!], `no schema ${name}`);
    for (const [name, schema] of Object.entries<object>(description.components.schemas)) {
      const text = JSON.stringify(schema).replaceAll('"#/', '"api#/');
      assert.doesNotThrow(() => ajv.compile(JSON.parse(text)), name);
    }
  });

  const calls: Record<string, () => Promise<{ status: number; headers: Headers; body: any }[]>> = {
    createLead: async () => [
      await postLead(gateway, secret, lead),
      await postLead(gateway, secret, { name: "" }),
      await postLead(gateway, "lf_none", lead),
    ],
    createLeads: async () => [
      await postBulk(gateway, secret, `${JSON.stringify(lead)}\nx\n`),
      await postBulk(gateway, secret, "a,b\n", { type: "text/csv" }),
      await postBulk(gateway, secret, "", { type: "text/plain" }),
    ],
    listLeads: async () => [
      await read("/v1/leads?limit=1"),
      await read("/v1/leads?sort=score&minScore=1"),
      await read("/v1/leads?limit=0"),
    ],
    getLead: async () => {
      const { body } = await postLead(gateway, secret, lead);
      return [
        await read(`/v1/leads/${body.id}`),
        await read(`/v1/leads/${passed.id}`),
        await read(`/v1/leads/${randomUUID()}`),
      ];
    },
    getMockup: async () => [
      await read(`/v1/leads/${passed.id}/mockup`),
      await read(`/v1/leads/${randomUUID()}/mockup`),
    ],
    listOutbox: async () => [await read("/v1/outbox?limit=1"), await read("/v1/outbox?cursor=none")],
    listReviews: async () => {
      await askedAbout(gateway, secret);
      const queries = ["limit=1", "state=merged", "state=closed", "cursor=none"];
      return Promise.all(queries.map((query) => read(`/v1/reviews?${query}`)));
    },
    decideReview: async () => {
      const { id } = await askedAbout(gateway, secret);
      return [
        await send("POST", `/v1/reviews/${id}`, { decision: "keep_apart" }),
        await send("POST", `/v1/reviews/${id}`, { decision: "merge" }),
        await send("POST", `/v1/reviews/${id}`, { decision: "perhaps" }),
        await send("POST", `/v1/reviews/${randomUUID()}`, { decision: "merge" }),
        await send("POST", "/v1/reviews/none", { decision: "merge" }),
      ];
    },
    unmergeLead: async () => {
      const { id, leads } = await askedAbout(gateway, secret);
      const { body } = await send("POST", `/v1/reviews/${id}`, { decision: "merge" });
      const [loser] = leads.filter((side) => side.id !== body.winner);
      const post = (leadId: string) => told(gateway.call(secret, `/v1/leads/${leadId}/unmerge`, { method: "POST" }));
      return [await post(loser!.id), await post(loser!.id), await post(body.winner), await post(randomUUID())];
    },
    getBudget: async () => [await read("/v1/budget")],
    getAnalytics: async () => {
      await eventually("it is counted", async () => (await read("/v1/analytics")).body.totals.takenIn > 0);
      const queries = [
        "by=zip&daily=true&tenant=*",
        "by=source&format=csv",
        "from=2026-02-30",
        "by=zip&source=crm",
        "by=x",
      ];
      return [await read("/v1/analytics"), ...(await Promise.all(queries.map((q) => read(`/v1/analytics?${q}`))))];
    },
    getRuleFigures: async () =>
      Promise.all(["", "?format=csv", "?tenant=*", "?to=never"].map((query) => read(`/v1/analytics/rules${query}`))),
    getLogs: async () => [
      await told(gateway.call(platform, "/v1/logs?limit=1")),
      await told(gateway.call(platform, "/v1/logs?limit=0")),
      await told(gateway.call(platform, "/v1/logs?cursor=none")),
      await read("/v1/logs"),
    ],
    settleMail: async () => {
      const outbox = gateway.resources.databases.of("acme")("outbox").where({ lead_id: passed.id });
      await outbox.clone().update({ state: "unknown" });
      const settled = [
        await send("POST", `/v1/outbox/${passed.id}/settle`, { as: "sent" }),
        await send("POST", `/v1/outbox/${passed.id}/settle`, { as: "not_sent" }),
        await send("POST", `/v1/outbox/${passed.id}/settle`, { as: "perhaps" }),
        await send("POST", `/v1/outbox/${randomUUID()}/settle`, { as: "sent" }),
      ];
      await outbox.update({ state: "written" });
      return settled;
    },
    getMail: async () => [await read("/v1/mail")],
    changeMail: async () => [
      await send("PUT", "/v1/mail", { suppressAcross: true, timeZone: "America/Denver", dayLimit: 10 }),
      await send("PUT", "/v1/mail", { timeZone: "America/Nowhere" }),
      await send("PUT", "/v1/mail", { daylimit: 10 }),
    ],
    getScreenshot: async () => {
      const store = new ObjectStore(gateway.resources.nats, gateway.names.objects.screenshots);
      await store.put(screenshotKey("acme", passed.id), Buffer.from("a picture"));
      return [
        await read(`/v1/leads/${passed.id}/screenshot`),
        await read(`/v1/leads/${randomUUID()}/screenshot`),
        await read("/v1/leads/none/screenshot"),
      ];
    },
    getSettings: async () => [await read("/v1/settings")],
    changeSettings: async () => [
      await send("PUT", "/v1/settings", { tier: 2 }),
      await send("PUT", "/v1/settings", { tier: 4 }),
      await send("PUT", "/v1/settings", { tier: 2, day: 1 }),
    ],
    resumeMail: async () => [await send("POST", "/v1/mail/resume", {})],
    mailEvents: async () => {
      const body = JSON.stringify({ events: [] });
      const signed = { "Leads-Signature": signPlain(body, eventSecret, Date.now()) };
      return [
        await send("POST", "/v1/webhooks/email", JSON.parse(body), signed),
        await send("POST", "/v1/webhooks/email", JSON.parse(body)),
      ];
    },
    askUnsubscribe: async () => [await read(`/u/${unsubscribeToken()}`), await read("/u/none")],
    unsubscribe: async () => {
      const post = (token: string) =>
        send("POST", `/u/${token}`, "List-Unsubscribe=One-Click", {
          "content-type": "application/x-www-form-urlencoded",
        });
      return [await post(unsubscribeToken()), await post("none")];
    },
    openMockup: async () => [
      await read(`/m/${mockupToken(passed.id)}`),
      await read(`/m/${mockupToken(randomUUID())}`),
      await read("/m/none"),
    ],
    eraseLead: async () => {
      const { body } = await postLead(gateway, secret, forgotten);
      return [
        await send("DELETE", `/v1/leads/${body.id}`),
        await send("DELETE", `/v1/leads/${randomUUID()}`),
        await send("DELETE", "/v1/leads/none"),
      ];
    },
    listTombstones: async () => [await read("/v1/tombstones?limit=1"), await read("/v1/tombstones?cursor=none")],
    liftTombstone: async () => {
      const { body } = await read("/v1/tombstones");
      const { id } = body.items[0];
      const lift = () => send("DELETE", `/v1/tombstones/${id}`);
      const refused = await postLead(gateway, secret, forgotten);
      check("createLead", refused);
      assert.equal(refused.status, 409);
      await eventually("the erasure is finished", async () => (await read("/v1/tombstones")).body.items[0].finishedAt);
      const lifted = [await lift(), await lift()];
      await eventually("it may come again", async () => (await postLead(gateway, secret, forgotten)).status === 202);
      return lifted;
    },
    listDeadLetters: async () => {
      await buried(gateway, "acme");
      return [
        await read("/v1/dead-letters?limit=1"),
        await read("/v1/dead-letters?tenant=*&stage=score&error=TypeError&since=0"),
        await read("/v1/dead-letters?cursor=none"),
      ];
    },
    countDeadLetters: async () => {
      await buried(gateway, "acme");
      return [await read("/v1/dead-letters/counts"), await read("/v1/dead-letters/counts?tenant=*")];
    },
    getDeadLetter: async () => [
      await read(`/v1/dead-letters/${await buried(gateway, "acme")}`),
      await read("/v1/dead-letters/17-none"),
      await read("/v1/dead-letters/none"),
    ],
    redriveDeadLetters: async () => {
      const ids = [await buried(gateway, "acme")];
      const redrive = (body: object) => send("POST", "/v1/dead-letters/redrive", body);
      return [
        await redrive({ ids, patch: { name: "" }, dryRun: true }),
        await redrive({ ids, patch: { colour: "red" } }),
        await redrive({ ids: ["none"] }),
        await redrive({}),
        await redrive({ filter: { colour: "red" } }),
        await redrive({ ids, by: "somebody" }),
        await redrive({ ids, rate: 100, limit: 1 }),
      ];
    },
    discardDeadLetters: async () => {
      const ids = [await buried(gateway, "acme")];
      return [
        await send("POST", "/v1/dead-letters/discard", { ids, reason: "junk", dryRun: true }),
        await send("POST", "/v1/dead-letters/discard", { ids }),
        await send("POST", "/v1/dead-letters/discard", { ids, reason: "junk" }),
      ];
    },
    listDeadLetterJobs: async () => [
      await read("/v1/dead-letters/jobs"),
      await read("/v1/dead-letters/jobs?tenant=*&limit=1"),
    ],
    getDeadLetterJob: async () => [
      await read(`/v1/dead-letters/jobs/${await job()}`),
      await read("/v1/dead-letters/jobs/x"),
    ],
    cancelDeadLetterJob: async () => [
      await send("POST", `/v1/dead-letters/jobs/${await job()}/cancel`, {}),
      await send("POST", `/v1/dead-letters/jobs/${randomUUID()}/cancel`, {}),
    ],
    whyLead: async () => {
      await buried(gateway, "acme");
      const { leadId } = (await read("/v1/dead-letters")).body.items[0];
      return [
        await read(`/v1/leads/${passed.id}/why`),
        await read(`/v1/leads/${leadId}/why`),
        await read(`/v1/leads/${randomUUID()}/why`),
      ];
    },
    listOperations: async () => [
      await read("/v1/operations?limit=1"),
      await read("/v1/operations?tenant=*"),
      await read("/v1/operations?cursor=none"),
    ],
    listStages: async () => [await read("/v1/stages")],
    pauseStage: async () => [
      await send("POST", "/v1/stages/score/pause", { reason: "a test" }),
      await send("POST", "/v1/stages/none/pause", { reason: "a test" }),
      await send("POST", "/v1/stages/score/pause", {}),
    ],
    resumeStage: async () => [
      await send("POST", "/v1/stages/score/resume", {}),
      await send("POST", "/v1/stages/none/resume", {}),
    ],
    listStreams: async () => [await read("/v1/streams")],
    listNodes: async () => [await read("/v1/nodes")],
    events: async () => {
      const answer = await gateway.call(secret, "/v1/events");
      await answer.body?.cancel();
      return [{ status: answer.status, headers: answer.headers, body: "" }];
    },
    stageHistory: async () => [
      await read("/v1/stages/history"),
      await read("/v1/stages/history?stage=score"),
      await read("/v1/stages/history?stage=none"),
    ],
    listImports: async () => {
      await postBulk(gateway, secret, `${JSON.stringify({ name: "Imported", city: "Peoria" })}\n`);
      await eventually(
        "the record has said what became of it",
        async () => (await read("/v1/imports")).body.items[0]?.flow,
      );
      return [await read("/v1/imports")];
    },
    getConsole: async () => [await read("/console")],
    getConsoleScript: async () => [await read("/console/js/app.js"), await read("/console/js/none.js")],
    getConsoleStyle: async () => [await read("/console/css/base.css"), await read("/console/css/none.css")],
    getRunbook: async () => [await read("/v1/runbook")],
    signIn: async () => {
      const post = (key: string) => send("POST", "/console/session", { key }, { "x-leads-console": "1" });
      return [await post(secret), await post("lf_none"), await send("POST", "/console/session", { key: secret })];
    },
    getSession: async () => {
      const signedIn = await send("POST", "/console/session", { key: secret }, { "x-leads-console": "1" });
      const cookie = signedIn.headers.getSetCookie()[0]!.split(";")[0]!;
      return [await send("GET", "/console/session", undefined, { cookie }), await read("/console/session")];
    },
    signOut: async () => [
      await send("DELETE", "/console/session", undefined, { "x-leads-console": "1" }),
      await send("DELETE", "/console/session"),
    ],
    healthz: async () => [await read("/healthz")],
    readyz: async () => [await read("/readyz")],
    openapi: async () => [await read("/openapi.json")],
  };

  it("names the operations that there are, and this test calls each of them", () => {
    const named = Object.values<any>(description.paths).flatMap((path) =>
      Object.values<any>(path).map((o) => o.operationId),
    );
    assert.deepEqual(named.sort(), Object.keys(calls).sort());
  });
  for (const [operationId, call] of Object.entries(calls))
    it(`is true of ${operationId}`, async () => {
      const answers = await call();
      assert.ok(answers[0]!.status < 300, JSON.stringify(answers[0]));
      for (const answer of answers) check(operationId, answer);
    });

  it("says of a lead what became of it: timeline, warnings, score, mock-up", async () => {
    assert.deepEqual(
      passed.timeline.map(({ stage }: { stage: string }) => stage),
      gateway.resources.flow.map(({ name }) => name),
    );
    assert.equal(passed.warnings[0].field, "foundedYear");
    assert.equal(passed.mockup, true);
    assert.ok(passed.score.value >= 0);
    const page = await read(`/v1/leads/${passed.id}/mockup`);
    assert.match(String(page.body), /^<!doctype html>/i);
    assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'none'.*sandbox/);
    const outbox = await read("/v1/outbox");
    // Other tests' leads may have come through since.
    assert.ok(outbox.body.items.some(({ leadId }: { leadId: string }) => leadId === passed.id));
  });

  it("pages through a list without leaving one out or showing one twice", async () => {
    for (let n = 0; n < 5; n++)
      await throughAllStages(gateway, secret, { name: `Mill ${n}`, city: "Peoria", source: "mills", sourceId: `${n}` });
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: any = await read(`/v1/leads?source=mills&limit=2${cursor ? `&cursor=${cursor}` : ""}`);
      assert.equal(page.status, 200);
      seen.push(...page.body.items.map(({ sourceId }: { sourceId: string }) => sourceId));
      cursor = page.body.next;
    }
    assert.deepEqual(seen, ["4", "3", "2", "1", "0"]);
  });

  it("is answered to HEAD without a body, and with 405 and Allow to what a path does not take", async () => {
    const head = await gateway.call(secret, "/v1/leads", { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(await head.text(), "");
    for (const [path, methods, allow] of [
      ["/v1/leads", ["PUT", "DELETE", "PATCH", "OPTIONS"], "POST, GET, HEAD"],
      ["/v1/leads/bulk", ["GET", "PUT"], "POST"],
      [`/v1/leads/${passed.id}`, ["POST", "PUT"], "GET, HEAD, DELETE"],
      ["/healthz", ["POST"], "GET, HEAD"],
    ] as const)
      for (const method of methods) {
        const answer = await gateway.call(secret, path, { method });
        assert.equal(answer.status, 405, `${method} ${path}`);
        assert.equal(answer.headers.get("allow"), allow);
        assert.equal(((await answer.json()) as { type: string }).type, "urn:leadfactory:error:method-not-allowed");
      }
  });
});
