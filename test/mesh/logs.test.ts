import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { jsApi } from "../../mixins/jetstream.ts";
import { LogStream } from "../../mixins/log-stream.ts";
import { connectNats } from "../../mixins/resources.ts";
import { newTraceId } from "../../mixins/trace/ids.ts";
import { eventually } from "../support/eventually.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { logTo } from "../support/log-to.ts";
import { ownNats, withSettings } from "../support/servers.ts";

describe("GET /v1/logs", () => {
  let gateway: TestGateway;
  let secret: string;
  let log: ReturnType<typeof logTo>;
  const [lead, trace] = [randomUUID(), newTraceId()];
  const read = async (query: string): Promise<{ status: number; items: any[]; next: string | null }> => {
    const answer = await gateway.call(secret, `/v1/logs?${query}`);
    return { status: answer.status, ...((await answer.json()) as any) };
  };
  const messages = async (query: string) => (await read(query)).items.map(({ message }) => message);
  /** Follows the log until the signal says to leave it; resolves when it has begun, with what has come since. */
  const follow = async (query: string, signal: AbortSignal, headers: Record<string, string> = {}) => {
    const answer = await gateway.call(secret, `/v1/logs?follow=true&${query}`, { headers, signal });
    assert.equal(answer.headers.get("content-type"), "text/event-stream");
    let text = "";
    void (async () => {
      for await (const chunk of answer.body!) text += Buffer.from(chunk).toString();
    })().catch(() => {});
    await eventually("it has begun", () => text.startsWith(":"));
    return () => text;
  };
  const readers = async () => (await jsApi(gateway.nats, `CONSUMER.NAMES.${gateway.names.logs.stream}`)).total;

  before(async function () {
    this.timeout(60_000);
    gateway = await startGateway({ env: { LEADS_RATE_LIMIT: "100000" } });
    log = logTo(gateway.nats, gateway.settings);
    ({ secret } = await gateway.key("operators", "platform"));
    for (let n = 0; n < 30; n++)
      log.say(
        n % 2 === 0 ? "score" : "email",
        `line ${n}`,
        {
          stage: n % 2 === 0 ? "score" : "email",
          ...(n % 10 === 0 ? { leadId: lead } : {}),
          ...(n === 7 ? { traceId: trace } : {}),
        },
        n % 5 === 0 ? "warn" : "info",
      );
    await eventually("the lines are there", async () => (await messages("service=email")).includes("line 29"));
  });
  after(async () => {
    await log?.stream.stop();
    await gateway?.[Symbol.asyncDispose]();
  });

  it("shows lines by level, service, stage, lead and trace, the oldest first, as they were written", async () => {
    const numbered = (...of: number[]) => of.map((n) => `line ${n}`);
    assert.deepEqual(await messages("level=warn&service=email"), numbered(5, 15, 25));
    assert.deepEqual(await messages("level=warn&stage=score"), numbered(0, 10, 20));
    assert.deepEqual(await messages(`lead=${lead}`), numbered(0, 10, 20));
    const { items } = await read(`trace=${trace}`);
    const { time, ...line } = items[0];
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
    assert.deepEqual(line, {
      level: "info",
      node: "n-1",
      module: "email",
      stage: "email",
      traceId: trace,
      message: "line 7",
    });
    assert.deepEqual(await messages("service=nobody"), []);
  });

  it("shows lines by time", async () => {
    const all = (await read("service=score")).items;
    const at = Date.parse(all.at(-1).time) + 1;
    assert.deepEqual(await messages(`service=score&from=${at}`), []);
    assert.equal((await messages(`service=score&to=${at}`)).length, all.length);
    assert.deepEqual(await messages(`service=score&from=0&to=1`), []);
  });

  it("pages without leaving a line out or showing one twice", async () => {
    const seen: string[] = [];
    for (let next: string | null = ""; next !== null; ) {
      const page: Awaited<ReturnType<typeof read>> = await read(`service=score&limit=4${next && `&cursor=${next}`}`);
      assert.ok(page.items.length <= 4);
      seen.push(...page.items.map(({ message }) => message));
      next = page.next;
    }
    assert.deepEqual(seen, await messages("service=score"));
    assert.equal(seen.length, 15);
  });

  it("follows what comes, goes on where it left off, and ends when its reader does", async () => {
    const leaving = new AbortController();
    const first = await follow("service=mockup", leaving.signal);
    // From now on: the reader may not have been there for the first lines.
    await eventually("the first line", () => {
      log.say("mockup", "drawn");
      return first().includes('"message":"drawn"');
    });
    const id = /^id: (\d+)$/m.exec(first())![1]!;
    log.say("mockup", "drawn last");
    await eventually("the last line", () => first().includes("drawn last"));
    const again = await follow("service=mockup", leaving.signal, { "Last-Event-ID": id });
    await eventually("it goes on", () => again().includes("drawn last"));
    assert.doesNotMatch(again(), new RegExp(`^id: ${id}$`, "m"));
    leaving.abort();
    await eventually("their readers are gone", async () => (await readers()) === 0);
  });

  it("shows a follower all lines, in order and once, however many come at once", async () => {
    const leaving = new AbortController();
    const text = await follow("service=bursts", leaving.signal);
    const shown = () => Array.from(text().matchAll(/"message":"burst (\d+)"/g), ([, n]) => Number(n));
    const { counts } = log.stream;
    const before = counts.sent;
    for (let n = 0; n < 500; n++) {
      log.say("bursts", `burst ${n}`);
      if (n % 50 === 49) await eventually("they are sent", () => counts.sent === before + n + 1);
    }
    await eventually("the last one is shown", () => shown().includes(499));
    assert.deepEqual(
      shown(),
      Array.from({ length: 500 }, (_, n) => n),
    );
    leaving.abort();
    await eventually("its reader is gone", async () => (await readers()) === 0);
  });

  it("keeps a follower awake while lines about others come, and lets go of it when its reader leaves", async () => {
    const leaving = new AbortController();
    const text = await follow(`lead=${randomUUID()}`, leaving.signal);
    // More than a request asks for in the second that it lasts: none ends empty.
    const others = setInterval(() => {
      for (let n = 0; n < 10; n++) log.say("score", "about another", { leadId: lead });
    }, 50);
    try {
      await eventually("it is kept awake", () => (text().match(/^:$/gm) ?? []).length >= 2, { withinMs: 5_000 });
      assert.equal(await readers(), 1);
      leaving.abort();
      await eventually("its reader is gone", async () => (await readers()) === 0, { withinMs: 3_000 });
    } finally {
      clearInterval(others);
    }
  });

  it("is for platform keys alone, and refuses what it does not know", async () => {
    const { secret: tenants } = await gateway.key("acme", "ingest", "read", "operate");
    assert.equal((await gateway.call(tenants, "/v1/logs")).status, 403);
    for (const query of [
      "level=loud",
      "trace=xyz",
      "limit=1001",
      "cursor=-1",
      // More than JetStream counts, and later than it can read.
      "cursor=99999999999999999999",
      "from=253402300800000",
      "to=253402300800000",
      "service=a.b",
      "service=*",
      "tenant=acme",
    ])
      assert.equal((await read(query)).status, 422, query);
  });

  it("knows of nothing behind the last line and in the last year", async () => {
    for (const query of ["cursor=999999999999999", "from=253402300799999"])
      assert.deepEqual(await read(query), { status: 200, items: [], next: null }, query);
  });

  it("looks at so many lines a request, and says where to go on", async () => {
    const { nats, names } = gateway;
    const line = (n: number) =>
      JSON.stringify({
        time: new Date().toISOString(),
        level: "info",
        node: "n",
        module: "crowd",
        message: `${n}`,
        stage: n === 11_999 ? "rare" : "often",
      });
    for (let n = 0; n < 12_000; n++) nats.publish(names.logs.subject("info", "crowd"), `${line(n)}\n`);
    await nats.flush();
    await eventually("they are stored", async () => (await read("service=crowd&limit=1&from=0")).items.length === 1);
    const first = await read("service=crowd&stage=rare");
    assert.deepEqual(first.items, []);
    assert.ok(first.next, "it goes on");
    const second = await read(`service=crowd&stage=rare&cursor=${first.next}`);
    assert.deepEqual(
      second.items.map(({ message }) => message),
      ["11999"],
    );
  });
});

describe("the stream of log lines", () => {
  it("drops its oldest when it is full, and keeps what its bounds say", async () => {
    await using gateway = await startGateway({
      env: { LEADS_LOG_STREAM_BYTES: "65536", LEADS_LOG_STREAM_HOURS: "2" },
    });
    const log = logTo(gateway.nats, gateway.settings);
    for (let n = 0; n < 600; n++) log.say("score", `line ${n} ${"x".repeat(300)}`);
    const info = () => jsApi(gateway.nats, `STREAM.INFO.${gateway.names.logs.stream}`);
    const { config, state } = await eventually("it is full", async () => {
      const told = await info();
      return told.state.last_seq >= 600 ? told : undefined;
    });
    assert.deepEqual([config.max_bytes, config.max_age, config.discard], [65_536, 7_200e9, "old"]);
    assert.ok(state.bytes <= 65_536 && state.messages < 600);
    await log.stream.stop();
  });

  it("slows nobody when NATS is gone, and goes on when it is back: a bounded buffer, the rest is counted", async () => {
    await using server = await ownNats();
    await using gateway = await startGateway();
    const settings = withSettings(gateway.settings, { LEADS_NATS_URL: server.url, LEADS_LOG_LEVEL: "info" });
    const nc = await connectNats(settings, "logger");
    const stream = new LogStream(settings);
    try {
      stream.start(nc);
      await server.kill();
      await eventually("it is noticed", () => nc.info && (nc as any).protocol.connected === false);
      const line = {
        level: "info" as const,
        module: "score",
        text: `${JSON.stringify({ message: "x".repeat(200) })}\n`,
      };
      const before = performance.now();
      for (let n = 0; n < 50_000; n++) stream.take(line);
      const perLineUs = ((performance.now() - before) * 1_000) / 50_000;
      assert.ok(perLineUs < 20, `${perLineUs} us a line`);
      assert.ok(stream.counts.dropped >= 45_000, "5,000 wait at the most");
      assert.equal(stream.counts.sent, 0);
      await server.start();
      await eventually("what waited is sent", () => stream.counts.sent + stream.counts.dropped === 50_000, {
        withinMs: 30_000,
      });
      await eventually("and stored", async () => {
        const { state } = await jsApi(nc, `STREAM.INFO.${gateway.names.logs.stream}`);
        return state.messages === stream.counts.sent;
      });
      assert.ok(stream.counts.sent >= 4_000);
    } finally {
      await stream.stop();
      await nc.close();
    }
  });
});
