import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { ServiceBroker } from "moleculer";
import { loadSettings } from "../../../config/settings.ts";
import { newSpanId } from "../../../mixins/trace/ids.ts";
import type { ZipkinExporter, ZipkinSpan } from "../../../mixins/trace/zipkin.ts";
import { tracerOptions, tracing, tracingOf } from "../../../mixins/tracing.ts";

/** A collector that answers as it is told. */
async function collector(answer: RequestListener) {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** A process that traces, without a mesh around it. */
function node(url: string, share = "1") {
  const settings = loadSettings({ LEADS_ZIPKIN_URL: url, LEADS_TRACE_SHARE: share });
  const broker = new ServiceBroker({
    nodeID: "n-1",
    logger: false,
    uidGenerator: newSpanId,
    tracing: tracerOptions(settings),
    middlewares: [tracing(settings)],
    skipProcessEventRegistration: true,
  });
  const [exporter] = (broker as unknown as { tracer: { exporter: ZipkinExporter[] } }).tracer.exporter;
  return { broker, exporter: exporter!, own: tracingOf(broker) };
}

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = { name: "score", traceId, parentId: "00f067aa0ba902b7", startMs: 1_000, endMs: 1_002.5, service: "score" };

describe("the exporter of spans", () => {
  it("sends a span as Zipkin takes it, with nothing in it that a person may have told", async () => {
    const taken: ZipkinSpan[] = [];
    await using zipkin = await collector(async (req, res) => {
      taken.push(...((await json(req)) as ZipkinSpan[]));
      res.writeHead(202).end();
    });
    const { broker, own } = node(zipkin.url);
    const error = Object.assign(new Error("no such person: jane@example.com"), {
      type: "NOT_FOUND",
      data: { jane: 1 },
    });
    own.record({ ...span, spanId: "b7ad6b7169203331", tags: { stage: "score", name: "jane" }, error });
    broker.createService({
      name: "people",
      actions: {
        find() {
          throw error;
        },
      },
    });
    await broker.start();
    await assert.rejects(broker.call("people.find", { email: "jane@example.com" }, { meta: { name: "jane" } }));
    await broker.stop();
    const [first, called] = taken.toSorted((a, b) => a.timestamp - b.timestamp);
    assert.deepEqual(first, {
      traceId,
      id: "b7ad6b7169203331",
      parentId: "00f067aa0ba902b7",
      name: "score",
      timestamp: 1_000_000,
      duration: 2_500,
      localEndpoint: { serviceName: "score" },
      tags: { node: "n-1", stage: "score", error: "NOT_FOUND" },
    });
    assert.deepEqual([called!.name, called!.tags["error"]], ["people.find", "NOT_FOUND"]);
    assert.doesNotMatch(JSON.stringify(taken), /jane/);
  });

  it("drops and counts what a collector that says nothing does not take, at once, and leaves in time", async () => {
    await using zipkin = await collector(() => {});
    const { broker, exporter, own } = node(zipkin.url);
    await broker.start();
    const before = performance.now();
    for (let n = 0; n < 30_000; n++) own.record(span);
    const perSpanUs = ((performance.now() - before) * 1_000) / 30_000;
    assert.ok(perSpanUs < 100, `${perSpanUs} us a span`);
    assert.ok(exporter.counts.dropped >= 19_000, "no more than 10,000 wait, and a batch is under way");
    const stopping = performance.now();
    await broker.stop();
    assert.ok(performance.now() - stopping < 8_000);
    assert.deepEqual(exporter.counts, { exported: 0, dropped: 30_000 });
  });

  it("counts what a collector refuses, or is not there to take", async () => {
    const gone = await collector(() => {});
    await gone[Symbol.asyncDispose]();
    await using refusing = await collector((_req, res) => res.writeHead(500).end());
    for (const { url } of [gone, refusing]) {
      const { broker, exporter, own } = node(url);
      await broker.start();
      for (let n = 0; n < 700; n++) own.record(span);
      await broker.stop();
      assert.deepEqual(exporter.counts, { exported: 0, dropped: 700 });
    }
  });

  it("is told of a failed call whose trace is not exported, and of no other call of it", async () => {
    const taken: ZipkinSpan[] = [];
    await using zipkin = await collector(async (req, res) => {
      taken.push(...((await json(req)) as ZipkinSpan[]));
      res.writeHead(202).end();
    });
    const { broker } = node(zipkin.url, "0");
    broker.createService({
      name: "steps",
      actions: {
        good: () => "done",
        wrong() {
          throw Object.assign(new Error("a caller's"), { code: 404, type: "NOT_FOUND" });
        },
        bad() {
          throw new TypeError("ours");
        },
      },
    });
    await broker.start();
    await broker.call("steps.good");
    await assert.rejects(broker.call("steps.wrong"));
    await assert.rejects(broker.call("steps.bad"));
    await broker.stop();
    assert.deepEqual(
      taken.map(({ name, tags }) => [name, tags["error"]]),
      [["steps.bad", "TypeError"]],
    );
  });
});
