import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { NatsConnection } from "nats";
import type { StageConfig } from "../../config/pipeline.ts";
import { put } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { quick, someLeads, stage } from "../support/stages.ts";

const flow: StageConfig[] = [
  { name: "one", ...quick },
  { name: "two", ...quick },
];
const megabyte = 2 ** 20;

/** What the NATS client keeps of its users; it has no types for it (nats 2.29). */
interface Kept {
  protocol: { subscriptions: { size(): number }; muxSubscriptions: { size(): number } };
  listeners: unknown[];
}
const keptOf = (nats: NatsConnection) => {
  const { protocol, listeners } = nats as unknown as Kept;
  return {
    subscriptions: protocol.subscriptions.size(),
    requests: protocol.muxSubscriptions.size(),
    listeners: listeners.length,
  };
};

describe("what a node holds", () => {
  let passed = 0;
  const start = () =>
    startMesh({
      flow,
      services: [
        "services/admission/admission.service.ts",
        stage("one"),
        stage("two", {
          checkpoint: async (_stage, verdicts) => {
            passed += verdicts.length;
          },
        }),
      ],
    });

  it("does not grow with the leads that have passed: by the heap after a collection", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    await using mesh = await start();
    const pass = async (leads: number) => {
      const until = passed + leads;
      await put(mesh, "one", "live", someLeads(leads));
      await eventually("all have passed", () => passed >= until);
    };
    // Code is compiled, and pools and series are filled.
    for (let n = 0; n < 4; n++) await pass(500);
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 4; n++) await pass(1_000);
    collect();
    const grown = process.memoryUsage().heapUsed - before;
    assert.ok(grown < megabyte, `${grown} bytes after 4,000 leads`);
  });

  it("is after many lost connections what it was before: subscriptions, requests, listeners", async () => {
    await using mesh = await start();
    const connections = [mesh.nats, transporterOf(mesh)];
    const kept = () => JSON.stringify(connections.map(keptOf));
    // A poll of admission that is under way is a request.
    let before = "";
    await eventually("it holds the same for a while", () => {
      const last = before;
      before = kept();
      return before === last;
    });
    const least = connections.map(keptOf);
    for (let n = 0; n < 10; n++) await Promise.all(connections.map(lose));
    await eventually("no more is held than before", () => {
      const now = connections.map(keptOf);
      return now.every((one, at) =>
        Object.entries(one).every(([what, count]) => count <= least[at]![what as keyof typeof one]),
      );
    });
    const until = passed + 10;
    await put(mesh, "one", "live", someLeads(10));
    await eventually("it works", () => passed >= until);
  });
});

const transporterOf = ({ broker }: TestMesh) =>
  (broker.transit as unknown as { tx: { client: NatsConnection } }).tx.client;

/** Cuts a connection; resolves when there is another. */
async function lose(nats: NatsConnection): Promise<void> {
  const statuses = nats.status() as ReturnType<NatsConnection["status"]> & { stop(): void };
  void nats.reconnect();
  for await (const { type } of statuses) if (type === "reconnect") break;
  statuses.stop();
}
