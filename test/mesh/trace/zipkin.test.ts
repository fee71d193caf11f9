import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { startSites } from "../../../bin/demo/sites.ts";
import type { ZipkinSpan } from "../../../mixins/trace/zipkin.ts";
import { eventually } from "../../support/eventually.ts";
import { generous, postBulk, startGateway, type TestGateway, throughAllStages } from "../../support/gateway.ts";
import { type NodeProcess, startNode } from "../../support/node-process.ts";
import type { HttpStub } from "../../support/providers/http-stub.ts";
import { pagespeedKey, pagespeedStub } from "../../support/providers/pagespeed.ts";
import { type OwnServer, ownZipkin, type TestPlace, testPlace } from "../../support/servers.ts";
import { spanNamed, traceIn, traceWith } from "../../support/zipkin.ts";

const file = (name: string) => `services/${name}/${name}.service.ts`;
const stages = ["enrich", "dedupe", "score", "mockup", "email"];
/** What the four processes tell of one lead: the gateway, the first two stages, the providers, the other stages. */
const toldOfLead = [
  ...["createlead", "accept"],
  ...["enrich mailbox", "enrich", "dedupe mailbox", "dedupe", "begin", "insert leads", "commit"],
  ...["site.facts", "site visit", "pagespeed.facts", "pagespeed request", "budget.reserve"],
  ...["score", "mockup", "email"].flatMap((stage) => [`${stage} mailbox`, stage]),
  "insert mail_claims",
];

/** The wall clocks of processes on one machine, and milliseconds cut to whole ones, differ by so much. */
const slackUs = 5_000;

describe("a trace in Zipkin", () => {
  let zipkin: OwnServer | null;
  let place: TestPlace;
  let sites: Awaited<ReturnType<typeof startSites>>;
  let pagespeed: HttpStub;
  let gateway: TestGateway;
  let nodes: NodeProcess[] = [];
  let secret: string;

  before(async function () {
    this.timeout(240_000);
    zipkin = await ownZipkin();
    if (!zipkin) {
      console.log("      skipped: there is no Zipkin");
      this.skip();
    }
    [sites, pagespeed, place] = await Promise.all([startSites(), pagespeedStub(), testPlace()]);
    const env = {
      ...generous,
      LEADS_ZIPKIN_URL: zipkin.url,
      LEADS_TRACE_SHARE: "1",
      LEADS_FETCH: "generator",
      LEADS_GENERATOR_URL: sites.url,
      LEADS_PAGESPEED_URL: pagespeed.url,
      LEADS_PAGESPEED_KEY: pagespeedKey,
    };
    nodes = [
      ["enrich", "dedupe"],
      ["site", "pagespeed", "budget"],
      ["score", "mockup", "email"],
    ].map((services) => startNode(place.settings, services.map(file), { ...env, LEADS_LOG_LEVEL: "warn" }));
    gateway = await startGateway({ place, services: [file("leads"), file("admission")], env });
    await gateway.broker.waitForServices([...stages, "site", "pagespeed", "budget"], 60_000);
    ({ secret } = await gateway.key("acme", "ingest", "read"));
  });
  after(async () => {
    await gateway?.[Symbol.asyncDispose]();
    for (const node of nodes) await node[Symbol.asyncDispose]();
    await Promise.all([zipkin, sites, pagespeed, place].map((each) => each?.[Symbol.asyncDispose]()));
  });

  /** Sends leads as somebody does who traces. */
  const callerIn = (traceparent: string, more: Record<string, string> = {}) => ({
    call: (given: string, path: string, init: RequestInit = {}) =>
      gateway.call(given, path, {
        ...init,
        ...(init.method === "POST" && { headers: { ...init.headers, traceparent, ...more } }),
      }),
  });

  it("shows one lead's way from the request through every mailbox, statement and provider, in four processes", async () => {
    const traceId = randomBytes(16).toString("hex");
    const callerId = randomBytes(8).toString("hex");
    const traced = callerIn(`00-${traceId}-${callerId}-00`, { "x-request-id": "order-17" });
    const website = "http://modern-joe.example/";
    const lead = await throughAllStages(traced, secret, {
      name: "Modern Joe",
      website,
      email: "joe@modern-joe.example",
    });
    const spans = await traceWith(zipkin!.url, traceId, toldOfLead);
    for (const span of spans) assert.equal(span.traceId, traceId, "all 128 bits of the trace's id");
    assert.equal(new Set(spans.map(({ id }) => id)).size, spans.length);

    const root = spanNamed(spans, "createlead");
    assert.deepEqual([root.kind, root.localEndpoint.serviceName, root.parentId], ["SERVER", "gateway", callerId]);
    assert.equal(spanNamed(spans, "accept").parentId, root.id);

    let parent = root;
    let at = root.timestamp;
    for (const [n, stage] of stages.entries()) {
      const mailbox = spanNamed(spans, `${stage} mailbox`);
      const handling = spanNamed(spans, stage);
      assert.equal(mailbox.parentId, parent.id, `${stage}'s mailbox is a part of what came before`);
      assert.equal(handling.parentId, parent.id);
      assert.ok(mailbox.timestamp >= at - slackUs, `${stage}'s mailbox comes after what came before began`);
      assert.ok(
        Math.abs(mailbox.timestamp + mailbox.duration - handling.timestamp) < slackUs,
        `${stage} begins where its mailbox ends`,
      );
      const { waitedMs, workedMs } = lead.timeline[n];
      // The record reckons from the stage's own step on, a little later than the batch begins.
      const [waiting, working] = [mailbox.duration / 1_000, handling.duration / 1_000];
      assert.ok(waiting <= waitedMs + 2, `waiting: ${waiting} ms, on record ${waitedMs}`);
      assert.ok(
        waiting + working >= waitedMs + workedMs - 3,
        `in all: ${waiting} + ${working}, on record ${waitedMs} + ${workedMs}`,
      );
      const { stage: inStage, tenant, lead: leadId, request, outcome } = handling.tags;
      assert.deepEqual(
        { inStage, tenant, leadId, request, outcome },
        {
          inStage: stage,
          tenant: "acme",
          leadId: lead.id,
          request: "order-17",
          outcome: stage === "email" ? "complete" : "forward",
        },
      );
      parent = handling;
      at = handling.timestamp;
    }

    const under = (span: ZipkinSpan) => spans.filter(({ parentId }) => parentId === span.id).map(({ name }) => name);
    for (const name of ["begin", "insert leads", "commit"])
      assert.ok(under(spanNamed(spans, "dedupe")).includes(name), `dedupe's ${name}`);
    assert.ok(under(spanNamed(spans, "email")).includes("insert mail_claims"));
    for (const span of spans.filter(({ remoteEndpoint }) => remoteEndpoint?.serviceName === "postgresql"))
      assert.equal(span.kind, "CLIENT");

    const chain = ["enrich", "pagespeed.facts", "pagespeed request"].map((name) => spanNamed(spans, name));
    assert.deepEqual([chain[1]!.parentId, chain[2]!.parentId], [chain[0]!.id, chain[1]!.id]);
    assert.deepEqual([chain[2]!.kind, chain[2]!.remoteEndpoint?.serviceName], ["CLIENT", "pagespeed"]);
    assert.equal(spanNamed(spans, "site.facts").parentId, chain[0]!.id);
    assert.equal(spanNamed(spans, "site visit").parentId, spanNamed(spans, "site.facts").id);
    assert.ok(under(chain[1]!).includes("budget.reserve"));
    for (const span of chain.slice(1)) assert.ok(isWithin(span, chain[0]!), `${span.name} is within enrich`);
    assert.equal(new Set(spans.map(({ tags }) => tags["node"])).size, 4, "processes");
  });

  it("shows an import as one trace: its batches side by side under the upload", async () => {
    const traceId = randomBytes(16).toString("hex");
    const rows = Array.from({ length: 120 }, (_, n) =>
      JSON.stringify({ name: `Shop ${n}`, sourceId: `${n}`, city: "Chicago" }),
    );
    const { status, body } = await postBulk(gateway, secret, rows.join("\n"), {
      headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
    });
    assert.equal(status, 200);
    const counted = (spans: readonly ZipkinSpan[], stage: string) =>
      spans.filter(({ name }) => name === stage).reduce((sum, { tags }) => sum + Number(tags["leads"]), 0);
    await traceWith(zipkin!.url, traceId, ["createleads"]);
    const spans = await eventually("all of the import's leads are told of", async () => {
      const told = await traceIn(zipkin!.url, traceId);
      return stages.every((stage) => counted(told, stage) === 120) ? told : undefined;
    });
    const root = spanNamed(spans, "createleads");
    for (const stage of stages) {
      assert.equal(counted(spans, stage), 120, stage);
      for (const span of spans.filter(({ name }) => name === stage)) {
        assert.equal(span.parentId, root.id);
        assert.equal(span.tags["import"], body.importId);
      }
    }
  });

  it("is whole, each span once, when Zipkin hangs for longer than one waits for its answer", async () => {
    const traceId = randomBytes(16).toString("hex");
    zipkin!.freeze();
    try {
      await throughAllStages(callerIn(`00-${traceId}-00f067aa0ba902b7-01`), secret, {
        name: "Patient Jane",
        website: "http://patient-jane.example/",
        email: "jane@patient-jane.example",
      });
      const heard = () => nodes.every((node) => node.output().includes("the collector of traces takes no spans"));
      await eventually("each process has given up a first try", heard, { withinMs: 30_000 });
    } finally {
      zipkin!.thaw();
    }
    const spans = await traceWith(zipkin!.url, traceId, toldOfLead);
    assert.equal(new Set(spans.map(({ id }) => id)).size, spans.length);
  });

  it("is whole when the processes stop right after: what they hold is flushed", async () => {
    const traceId = randomBytes(16).toString("hex");
    const traced = callerIn(`00-${traceId}-00f067aa0ba902b7-01`);
    await throughAllStages(traced, secret, { name: "Late Joe", city: "Chicago", email: "late@late-joe.example" });
    const codes = await Promise.all([...nodes.map((node) => node.stop()), gateway.stop()]);
    assert.deepEqual(codes.slice(0, 3), [0, 0, 0]);
    // Nothing runs any more that could send it later.
    await traceWith(zipkin!.url, traceId, stages);
  });
});

function isWithin(inner: ZipkinSpan, outer: ZipkinSpan): boolean {
  return (
    inner.timestamp >= outer.timestamp - slackUs &&
    inner.timestamp + inner.duration <= outer.timestamp + outer.duration + slackUs
  );
}
