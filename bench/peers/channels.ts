import { createRequire } from "node:module";
import { connect, type JetStreamPublishOptions, type PubAck } from "nats";
import type { Lead } from "../../services/leads/lead.ts";
import type { Peer } from "../chain/peer.ts";

const require = createRequire(import.meta.url);
const { ServiceBroker } = require("moleculer");
const { Middleware } = require("@moleculer/channels");

interface Payload {
  leads: Lead[];
}

/** Publishes in flight while the first channel is filled. */
const fillWindow = 512;

/** The chain on @moleculer/channels over NATS JetStream: a channel a stage, the settings of bench/README.md. */
export const run: Peer = async ({ prefix, natsUrl, stages, count, perJob, concurrency, lead, checkpoint }) => {
  const channel = (name: string) => `${prefix}.${name}`;
  const streamOf = (name: string) => channel(name).replaceAll(".", "_");
  const nc = await connect({ servers: natsUrl });
  const jsm = await nc.jetstreamManager();
  const js = nc.jetstream();
  for (const name of stages) {
    await jsm.streams.add({
      name: streamOf(name),
      subjects: [channel(name)],
      retention: "workqueue" as never,
      storage: "file" as never,
    });
  }
  let serial = 0;
  const flights = new Set<Promise<PubAck | void>>();
  for (let n = 0; n < count; ) {
    const leads = Array.from({ length: Math.min(perJob, count - n) }, () => lead(serial++));
    n += leads.length;
    const flight: Promise<PubAck | void> = js
      .publish(channel(stages[0]!), JSON.stringify({ leads } satisfies Payload), {} as Partial<JetStreamPublishOptions>)
      .finally(() => flights.delete(flight));
    flights.add(flight);
    if (flights.size >= fillWindow) await Promise.race(flights);
  }
  await Promise.all(flights);

  const broker = new ServiceBroker({
    logger: false,
    middlewares: [
      Middleware({
        adapter: {
          type: "NATS",
          options: {
            nats: {
              url: natsUrl,
              streamConfig: { retention: "workqueue", storage: "file" },
              consumerOptions: { config: { deliver_policy: "all", ack_wait: 120e9 } },
            },
            maxInFlight: concurrency,
            maxRetries: 3,
            deadLettering: { enabled: false },
          },
        },
      }),
    ],
  });
  const done = Promise.withResolvers<void>();
  let ended = 0;
  for (const [n, name] of stages.entries()) {
    const next = stages[n + 1];
    broker.createService({
      name,
      channels: {
        [channel(name)]: {
          group: "work",
          maxInFlight: concurrency,
          async handler({ leads }: Payload) {
            for (const one of leads)
              one.timeline.push({ stage: name, at: Date.now(), waitedMs: 0, workedMs: 0, outcome: "forward" });
            await checkpoint(n, leads);
            if (next) {
              await broker.sendToChannel(channel(next), { leads });
              return;
            }
            ended += leads.length;
            if (ended >= count) done.resolve();
          },
        },
      },
    });
  }
  const since = performance.now();
  await broker.start();
  await done.promise;
  const tookMs = performance.now() - since;
  await broker.stop();
  for (const name of stages) await jsm.streams.delete(streamOf(name));
  await nc.close();
  return tookMs;
};
