import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { ServiceBroker, type TracerOptions } from "moleculer";
import { loadSettings } from "../../../config/settings.ts";
import { newSpanId } from "../../../mixins/trace/ids.ts";
import { ZipkinExporter, type ZipkinOptions, type ZipkinSpan } from "../../../mixins/trace/zipkin.ts";
import { tracerOptions, tracing, tracingOf } from "../../../mixins/tracing.ts";
import { eventually } from "../../support/eventually.ts";

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

/** A process that traces, without a mesh around it. `quick`: an exporter that is more in a hurry than a mesh's. */
function node(url: string, share = "1", quick?: Omit<ZipkinOptions, "url">) {
  const settings = loadSettings({ LEADS_ZIPKIN_URL: url, LEADS_TRACE_SHARE: share });
  const broker = new ServiceBroker({
    nodeID: "n-1",
    logger: false,
    uidGenerator: newSpanId,
    tracing: {
      ...(tracerOptions(settings) as TracerOptions),
      ...(quick && { exporter: new ZipkinExporter({ url, ...quick }) as never }),
    },
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

  it("drops and counts what a collector that says nothing does not take, and leaves in time", async () => {
    await using zipkin = await collector(() => {});
    const { broker, exporter, own } = node(zipkin.url);
    await broker.start();
    for (let n = 0; n < 30_000; n++) own.record(span);
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

  it("sends again, in its order, what a collector did not take for a moment", async () => {
    const asked: ZipkinSpan[][] = [];
    const taken: ZipkinSpan[] = [];
    await using zipkin = await collector(async (req, res) => {
      const spans = (await json(req)) as ZipkinSpan[];
      asked.push(spans);
      // Cut off, over its quota, starting anew, and then itself again.
      if (asked.length === 1) return void req.socket.destroy();
      if (asked.length <= 3) return void res.writeHead(asked.length === 2 ? 429 : 503).end();
      taken.push(...spans);
      res.writeHead(202).end();
    });
    const { broker, exporter, own } = node(zipkin.url, "1", { everyMs: 20 });
    await broker.start();
    for (let n = 0; n < 1_200; n++) own.record({ ...span, startMs: n, endMs: n + 1 });
    await eventually("all are taken", () => taken.length >= 1_200);
    assert.deepEqual(
      taken.map(({ timestamp }) => timestamp / 1_000),
      Array.from({ length: 1_200 }, (_, n) => n),
    );
    await broker.stop();
    assert.deepEqual(exporter.counts, { exported: 1_200, dropped: 0 });
    assert.equal(asked.length, 3 + 3);
  });

  it("sends what has piled up batch after batch, not one in each turn of its timer", async () => {
    let taken = 0;
    await using zipkin = await collector(async (req, res) => {
      taken += ((await json(req)) as ZipkinSpan[]).length;
      res.writeHead(202).end();
    });
    const { broker, own } = node(zipkin.url, "1", { everyMs: 3_600_000 });
    await broker.start();
    for (let n = 0; n < 5_000; n++) own.record(span);
    await eventually("all are taken", () => taken === 5_000);
    await broker.stop();
  });

  it("drops what a collector says is wrong, and what it has not taken for long, and sends the rest", async () => {
    for (const [wrong, keepMs] of [
      [400, 60_000],
      [500, 0],
    ] as const) {
      let isFirst = true;
      await using zipkin = await collector((req, res) => {
        req.resume().on("end", () => {
          res.writeHead(isFirst ? wrong : 202).end();
          isFirst = false;
        });
      });
      const { broker, exporter, own } = node(zipkin.url, "1", { everyMs: 20, keepMs });
      await broker.start();
      for (let n = 0; n < 700; n++) own.record(span);
      await broker.stop();
      assert.deepEqual(exporter.counts, { exported: 200, dropped: 500 }, `${wrong}`);
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
