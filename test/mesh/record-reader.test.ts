import assert from "node:assert/strict";
import { ServiceBroker } from "moleculer";
import { outage } from "../../mixins/errors.ts";
import { consumerInfo, ensureConsumer, ensureStream, jsApi } from "../../mixins/jetstream.ts";
import { Reader, type ReaderOptions } from "../../services/leads/reader.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";

const waiting = async ({ nats }: TestMesh, stream: string) =>
  (await jsApi(nats, `STREAM.INFO.${stream}`)).state.messages as number;

describe("reading a stream into the database", () => {
  let mesh: TestMesh;
  let made: Partial<ReaderOptions>;
  const open = async (ackWaitMs: number) => {
    const stream = `${mesh.names.prefix}-reader`;
    await ensureStream(mesh.nats, {
      name: stream,
      subjects: [`${mesh.names.prefix}.reader`],
      retention: "workqueue",
      storage: "file",
    });
    await ensureConsumer(mesh.nats, stream, { durable_name: "r", ack_wait: ackWaitMs * 1_000_000 });
    const logger = new ServiceBroker({ logger: false }).getLogger("reader");
    made = {
      nats: async () => mesh.nats,
      stream,
      consumer: "r",
      ensure: async () => {},
      batch: 10,
      writers: 1,
      probeMinMs: 20,
      probeMaxMs: 50,
      watchdogMs: 60_000,
      ackWaitMs,
      logger,
    };
    return stream;
  };
  const send = async (count: number) => {
    for (let n = 0; n < count; n++) await mesh.nats.jetstream().publish(`${mesh.names.prefix}.reader`, String(n));
  };
  const text = (data: Uint8Array) => Buffer.from(data).toString();
  beforeEach(async () => {
    mesh = await startMesh({ services: [] });
  });
  afterEach(() => mesh[Symbol.asyncDispose]());

  it("keeps messages in hand through an outage longer than their time, without one delivered again", async () => {
    const stream = await open(600);
    const written: string[] = [];
    const opensAt = Date.now() + 2_500;
    const reader = new Reader({
      ...(made as ReaderOptions),
      async write(messages) {
        if (Date.now() < opensAt) throw outage("postgres");
        written.push(...messages.map((m) => text(m.data)));
      },
    });
    reader.start();
    // Few enough that there is room to take one again.
    await send(12);
    await eventually("it waits", () => reader.isWaiting);
    await eventually("all are written", async () => written.length >= 12 && (await waiting(mesh, stream)) === 0);
    const { delivered } = await consumerInfo(mesh.nats, stream, "r");
    await reader.stop();
    assert.deepEqual(
      written,
      Array.from({ length: 12 }, (_, n) => String(n)),
    );
    assert.equal(delivered.consumer_seq, 12);
  });

  it("leaves a message that cannot be written in the stream and writes all others", async () => {
    const stream = await open(30_000);
    const written: string[] = [];
    const reader = new Reader({
      ...(made as ReaderOptions),
      async write(messages) {
        const texts = messages.map((m) => text(m.data));
        if (texts.includes("13")) throw new Error("unlucky");
        written.push(...texts);
      },
    });
    await send(25);
    reader.start();
    await eventually("all others are let go", async () => (await waiting(mesh, stream)) === 1);
    await reader.stop();
    assert.deepEqual(
      written.map(Number).sort((a, b) => a - b),
      Array.from({ length: 25 }, (_, n) => n).filter((n) => n !== 13),
    );
  });

  it("gives back what it has not written when it stops", async () => {
    const stream = await open(30_000);
    let calls = 0;
    const stuck = new Reader({
      ...(made as ReaderOptions),
      async write() {
        calls++;
        throw outage("postgres");
      },
    });
    await send(5);
    stuck.start();
    await eventually("it has them in hand", () => calls > 0);
    await stuck.stop();
    const written: string[] = [];
    const next = new Reader({
      ...(made as ReaderOptions),
      write: async (messages) => void written.push(...messages.map((m) => text(m.data))),
    });
    next.start();
    await eventually(
      "the next has them, long before their time is up",
      async () => (await waiting(mesh, stream)) === 0,
    );
    await next.stop();
    assert.equal(written.length, 5);
  });
});
