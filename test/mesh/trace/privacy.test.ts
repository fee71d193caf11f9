import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { headers as natsHeaders } from "nats";
import { startSites } from "../../../bin/demo/sites.ts";
import { freePort } from "../../../bin/stack/process.ts";
import { ensureShared } from "../../../mixins/jetstream.ts";
import { createKey } from "../../../mixins/keys.ts";
import { openDatabase } from "../../../mixins/knex.ts";
import { readLogs } from "../../../mixins/log-reader.ts";
import { connectNats } from "../../../mixins/resources.ts";
import { defineService } from "../../../mixins/schema.ts";
import { put } from "../../support/actor.ts";
import { eventually } from "../../support/eventually.ts";
import { generous, postBulk } from "../../support/gateway.ts";
import { aLead } from "../../support/leads.ts";
import { Mailbox, mailSettings } from "../../support/mail.ts";
import { startMesh } from "../../support/mesh.ts";
import { startNode } from "../../support/node-process.ts";
import { pagespeedKey, pagespeedStub } from "../../support/providers/pagespeed.ts";
import { testPlace } from "../../support/servers.ts";

/** Every value of it is one that nothing else has. */
const person = {
  name: "Zyxmarkname & Daughters",
  email: "zyxmarkmail@modern-zyxmarksite.example",
  phone: "+1 773 555 0142",
  website: "http://modern-zyxmarksite.example/zyxmarkpath",
  street: "417 Zyxmarkstreet Ave",
  city: "Zyxmarkcity",
  zip: "60614",
};
/** Each of those, however it is spelled. */
const marks = /zyxmark|773\W{0,4}555\W{0,2}0142/i;

const services = [
  ...[
    "gateway",
    "admission",
    "leads",
    "enrich",
    "site",
    "pagespeed",
    "budget",
    "dedupe",
    "score",
    "mockup",
    "email",
  ].map((name) => `services/${name}/${name}.service.ts`),
  ...["services/email/sender.service.ts", "services/email/mail.service.ts", "services/smtp/smtp.service.ts"],
];

/** Takes spans, as Zipkin does, and keeps them as they came. */
async function collector() {
  const told: string[] = [];
  const server = createServer(async (req, res) => {
    told.push(await text(req));
    res.writeHead(202).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    told,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

describe("what operators are shown", () => {
  it("holds nothing of a person and no key: logs, spans and events, through everything that can go wrong", async function () {
    this.timeout(120_000);
    using zipkin = await collector();
    await using sites = await startSites();
    await using pagespeed = await pagespeedStub();
    await using mailbox = await Mailbox.open();
    mailbox.refuse.recipient = (address) =>
      Object.assign(new Error(`<${address}>: no such user, ask zyxmarkname`), { responseCode: 550 });
    const metricsPort = await freePort();
    await using place = await testPlace({
      LEADS_METRICS_PORT: String(metricsPort),
      LEADS_METRICS_EVERY_MS: "500",
      ...generous,
      ...mailSettings(mailbox.url),
      LEADS_ZIPKIN_URL: zipkin.url,
      LEADS_TRACE_SHARE: "1",
      LEADS_LOG_LEVEL: "debug",
      LEADS_FETCH: "generator",
      LEADS_GENERATOR_URL: sites.url,
      LEADS_PAGESPEED_URL: pagespeed.url,
      LEADS_PAGESPEED_KEY: pagespeedKey,
      LEADS_STATEMENT_TIMEOUT_MS: "500",
      // Few enough questions that the circuit stays closed.
      LEADS_PROBE_MIN_MS: "300",
      LEADS_PROBE_MAX_MS: "300",
      LEADS_QUIET_HOURS: "",
    });
    const { settings, names } = place;
    const nats = await connectNats(settings, "privacy");
    const knex = openDatabase(settings);
    try {
      await ensureShared(nats, names, settings);
      const { secret } = await createKey(nats, names, { tenant: "acme", scopes: ["ingest", "read"] });
      // What services broadcast: their states, and snapshots of metrics.
      const events: string[] = [];
      await using _listener = await startMesh({
        place,
        env: { LEADS_LOG_LEVEL: "fatal", LEADS_METRICS_PORT: "0" },
        services: [
          defineService({
            name: "listener",
            events: { "**": (ctx) => void events.push(JSON.stringify([ctx.eventName, ctx.params, ctx.meta])) },
          }),
        ],
      });
      await using node = startNode(settings, services);
      const said = (what: RegExp) =>
        eventually(`it says ${what}`, () => what.test(node.output()), { withinMs: 40_000 });
      const url = await eventually("the API is there", () => /the API is at (http:[^"]+)"/.exec(node.output())?.[1], {
        withinMs: 40_000,
      });
      await eventually("it is ready", async () => (await fetch(`${url}/readyz`)).status === 200, { withinMs: 40_000 });
      const call = (path: string, init: RequestInit = {}) =>
        fetch(url + path, { ...init, headers: { authorization: `Bearer ${secret}`, ...init.headers } });
      const post = async (lead: object) => {
        const body = JSON.stringify(lead);
        const answer = await call("/v1/leads", {
          method: "POST",
          body,
          headers: { "content-type": "application/json" },
        });
        assert.equal(answer.status, 202);
        return ((await answer.json()) as { id: string }).id;
      };
      const completed = (id: string) =>
        eventually(
          "it has passed all stages",
          async () => ((await (await call(`/v1/leads/${id}`)).json()) as { status: string }).status === "completed",
          { withinMs: 40_000 },
        );

      // A provider that fails in several ways; then it is well.
      pagespeed.failure = "another shape";
      const first = await post(person);
      await said(/outage: the stage waits/);
      for (const failure of ["cut", "500"] as const) {
        const before = pagespeed.requests.length;
        pagespeed.failure = failure;
        await eventually("it is asked again", () => pagespeed.requests.length > before);
      }
      pagespeed.failure = "none";
      await completed(first);

      // A database that is held up by a lock, for everybody.
      await knex.transaction(async (trx) => {
        await trx.raw("set local statement_timeout = 0");
        await trx.raw("set local idle_in_transaction_session_timeout = 0");
        await trx.raw("lock table leads in access exclusive mode");
        await post({ ...person, email: "zyxmarksecond@modern-zyxmarksite.example" });
        await said(/"dependency":"postgres"/);
      });

      // Leads that cannot be written, and messages that are none.
      const broken = aLead({ fields: { ...person, name: "Zyxmarkname \u0000" } as never });
      await put({ nats, names } as never, "dedupe", "live", [broken]);
      const misshapen = { ...aLead(), fields: { ...person, website: { zyxmark: 1 } } as never, leadId: "zyx-no-uuid" };
      await put({ nats, names } as never, "dedupe", "live", [misshapen]);
      nats.publish(names.mailbox("score").subject("live"), JSON.stringify(person), { headers: natsHeaders() });
      nats.publish(names.mailbox("score").subject("live"), `{"items": ${JSON.stringify(person)}`);
      await said(/a message that is no envelope is a dead letter/);
      await said(/"stage":"dedupe"[^\n]*"error":"(22P05|22021|22P02)"/);

      // Rows and requests that are refused.
      const rows = [
        JSON.stringify({ ...person, name: "" }),
        JSON.stringify({ ...person, zyxmarkfield: "x" }),
        `{"name": "${person.name}", "email": ${person.email}`,
        JSON.stringify({ ...person, sourceId: "7" }),
      ];
      const bulk = await postBulk({ url }, secret, rows.join("\n"));
      assert.ok(bulk.body.refused >= 2, JSON.stringify(bulk.body));
      for (const [path, init] of [
        [
          "/v1/leads",
          { method: "POST", body: `{"name": "${person.name}"`, headers: { "content-type": "application/json" } },
        ],
        [
          "/v1/leads",
          {
            method: "POST",
            body: JSON.stringify({ email: person.email }),
            headers: { "content-type": "application/json" },
          },
        ],
        [`/v1/leads?q=${encodeURIComponent(person.email)}`, {}],
        [`/v1/leads?minScore=${encodeURIComponent(person.phone)}`, {}],
        [`/v1/leads/${encodeURIComponent(person.name)}`, {}],
        [`/v1/leads/${randomUUID()}`, {}],
        [`/${encodeURIComponent(person.email)}`, {}],
        [`/u/${encodeURIComponent(person.email)}`, {}],
      ] as const)
        await (await call(path, init)).text();
      await (
        await fetch(`${url}/v1/leads?q=${person.email}`, { headers: { authorization: `Bearer ${secret}x` } })
      ).text();

      const counted = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();

      // The mail server refuses, and quotes whom.
      await eventually(
        "the mail server has refused",
        async () =>
          (await knex.raw("select 1 from outbox where state = 'refused' or reason is not null")).rows.length > 0,
        { withinMs: 40_000 },
      );
      await call(`/v1/outbox`);
      assert.equal(await node.stop(), 0);

      const output = node.output();
      const { items } = await readLogs(nats, names, { level: "trace", from: 0 }, 100_000);
      const streamed = items.map(({ line }) => JSON.stringify(line)).join("\n");
      const shown = {
        metrics: counted,
        logs: output,
        "stream of logs": streamed,
        spans: zipkin.told.join("\n"),
        events: events.join("\n"),
      };
      assert.match(shown.spans, /"name":"pagespeed request"/);
      assert.match(shown.events, /stage\.state/);
      assert.match(shown.events, /metrics\.snapshot/);
      for (const [where, all] of Object.entries(shown)) {
        assert.ok(all.length > 1_000, `${where} were shown`);
        const found = all.split("\n").filter((line) => marks.test(line));
        assert.deepEqual(
          found.map((line) => line.slice(0, 600)),
          [],
          `a person in the ${where}`,
        );
        for (const key of [secret, pagespeedKey]) assert.ok(!all.includes(key), `a key in the ${where}`);
      }
      const lines = output
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line));
      assert.match(streamed, /"lead is a dead letter"|"lead will be retried"/);
      const retried = lines.find(({ message, stage }) => message === "lead will be retried" && stage === "dedupe");
      const dead = lines.find(({ message, stage }) => message === "lead is a dead letter" && stage === "dedupe");
      for (const name of ["leadId", "tenant", "stage", "lane", "requestId", "traceId"])
        assert.equal(typeof (retried ?? dead)?.[name], "string", name);
    } finally {
      await knex.destroy();
      await nats.close();
    }
  });
});
