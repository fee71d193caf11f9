import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import type { Context } from "moleculer";
import { forward, retry } from "../../../mixins/actor/outcome.ts";
import { statement } from "../../../mixins/knex.ts";
import { resourcesOf } from "../../../mixins/resources.ts";
import { defineService } from "../../../mixins/schema.ts";
import { type About, currentScope, onBehalfOf } from "../../../mixins/trace/scope.ts";
import type { ZipkinSpan } from "../../../mixins/trace/zipkin.ts";
import { Ends, put } from "../../support/actor.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh } from "../../support/mesh.ts";
import { origin, quick, someLeads, stage } from "../../support/stages.ts";

/** A collector that keeps what it is sent. */
async function collector() {
  const spans: ZipkinSpan[] = [];
  const server = createServer(async (req, res) => {
    spans.push(...((await json(req)) as ZipkinSpan[]));
    res.writeHead(202).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    spans,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const flow = [
  { name: "work", ...quick, lingerMs: 200 },
  { name: "end", ...quick },
];

/** A service that says on whose behalf it was called. */
function listener() {
  const heard: { request: string; about: About | undefined; scope: About | undefined }[] = [];
  const service = defineService({
    name: "listener",
    actions: {
      hear(ctx: Context<object, { about?: About }>) {
        heard.push({ request: ctx.requestID!, about: ctx.meta.about, scope: currentScope()?.about });
      },
    },
  });
  return { heard, service };
}

describe("the thread of a lead", () => {
  it("goes on through the calls that a stage makes for each lead of a batch, with traces or without", async () => {
    using zipkin = await collector();
    for (const url of ["", zipkin.url]) {
      const env = { LEADS_ZIPKIN_URL: url, LEADS_TRACE_SHARE: "0.5" };
      const ends = new Ends();
      const { heard, service } = listener();
      await using mesh = await startMesh({
        flow,
        env,
        services: [
          stage("work", {
            async handle(batch) {
              await Promise.all(batch.map((work) => onBehalfOf(work, () => this.broker.call("listener.hear"))));
              return batch.map(({ lead }) => forward(lead));
            },
          }),
          stage("end", ends),
          service,
        ],
      });
      const leads = someLeads(20);
      const routes = leads.map(() => origin());
      await Promise.all(leads.map((lead, n) => put(mesh, "work", "live", [lead], { route: routes[n]! })));
      await eventually("all have ended", () => ends.size === 20);
      for (const [n, lead] of leads.entries()) {
        const { requestId, traceparent } = routes[n]!;
        const traceId = traceparent.split("-")[1];
        const mine = heard.find(({ about }) => about?.leadId === lead.leadId);
        assert.equal(mine?.request, traceId);
        const { about, scope } = mine!;
        assert.deepEqual(about, { stage: "work", leadId: lead.leadId, tenant: "acme", lane: "live", requestId });
        assert.deepEqual(scope, { ...about, traceId });
      }
    }
  });

  it("is told where it failed, though its trace is not exported, and nowhere else", async () => {
    using zipkin = await collector();
    const ends = new Ends();
    await using mesh = await startMesh({
      flow,
      env: { LEADS_ZIPKIN_URL: zipkin.url, LEADS_TRACE_SHARE: "0" },
      services: [
        stage("work", {
          async handle(batch) {
            const knex = resourcesOf(this.broker).databases.of("acme");
            await statement(() => knex.raw("select 1 from leads limit 1"));
            return batch.map(({ lead, attempt }) =>
              lead.fields.name === "Business 3" && attempt === 1 ? retry(new TypeError("secret words")) : forward(lead),
            );
          },
        }),
        stage("end", ends),
      ],
    });
    const leads = someLeads(10);
    const routes = leads.map(() => origin());
    await Promise.all(leads.map((lead, n) => put(mesh, "work", "live", [lead], { route: routes[n]! })));
    await eventually("all have ended", () => ends.size === 10);
    await mesh.stop();
    const [, traceId, parentId] = routes[3]!.traceparent.split("-");
    const told = zipkin.spans.map(({ traceId: trace, parentId: parent, name, tags }) => [
      trace,
      parent,
      name,
      tags["error"],
      tags["lead"],
    ]);
    assert.deepEqual(told, [[traceId, parentId, "work", "TypeError", leads[3]!.leadId]]);
    assert.doesNotMatch(JSON.stringify(zipkin.spans), /secret/);
  });

  it("tells a statement that fails under a lead of its batch", async () => {
    using zipkin = await collector();
    const ends = new Ends();
    let runs = 0;
    await using mesh = await startMesh({
      flow,
      env: { LEADS_ZIPKIN_URL: zipkin.url, LEADS_TRACE_SHARE: "0" },
      services: [
        stage("work", {
          async handle(batch) {
            const knex = resourcesOf(this.broker).databases.of("acme");
            if (runs++ === 0) await statement(() => knex.raw("select ?::uuid from leads", ["jane@example.com"]));
            return batch.map(({ lead }) => forward(lead));
          },
        }),
        stage("end", ends),
      ],
    });
    await put(mesh, "work", "live", someLeads(1));
    await eventually("it has ended", () => ends.size === 1);
    await mesh.stop();
    const failed = zipkin.spans.find(({ name }) => name === "select leads");
    assert.equal(failed?.tags["error"], "22P02");
    assert.equal(failed.remoteEndpoint?.serviceName, "postgresql");
    assert.doesNotMatch(JSON.stringify(zipkin.spans), /jane/);
  });

  it("shows the wait between two tries", async () => {
    using zipkin = await collector();
    const ends = new Ends();
    await using mesh = await startMesh({
      flow,
      env: { LEADS_ZIPKIN_URL: zipkin.url, LEADS_TRACE_SHARE: "1" },
      services: [
        stage("work", {
          handle: (batch) =>
            batch.map(({ lead, attempt }) => (attempt === 1 ? retry(new Error("not yet")) : forward(lead))),
        }),
        stage("end", ends),
      ],
    });
    await put(mesh, "work", "live", someLeads(1));
    await eventually("it has ended", () => ends.size === 1);
    await mesh.stop();
    const names = zipkin.spans.toSorted((a, b) => a.timestamp - b.timestamp).map(({ name }) => name);
    assert.deepEqual(names, ["work mailbox", "work", "work parked", "work mailbox", "work", "end mailbox", "end"]);
    const parked = zipkin.spans.find(({ name }) => name === "work parked")!;
    const [first, second] = zipkin.spans.filter(({ name }) => name === "work");
    assert.deepEqual([first!.tags["error"], second!.tags["error"]], ["Error", undefined]);
    assert.deepEqual([first!.parentId, second!.parentId], [parked.parentId, parked.parentId]);
  });
});
