import { againstPeers, redisOfPeers } from "./chain/against-peers.ts";
import { chain } from "./chain/chain.ts";
import { compare } from "./chain/compare.ts";
import type { Bench } from "./row.ts";

/**
 * Five stages that do nothing, two checkpoints in PostgreSQL: what the mesh itself costs beside the bare client, and how it
 * stands beside BullMQ and @moleculer/channels. The short form, for CI, installs no peers and leaves them out.
 */
export const run: Bench = async (options) => {
  // Before the mesh is measured: without one the peers cannot be.
  await using redis = options.short ? null : await redisOfPeers();
  return [
    ...(await compare(
      {
        bench: "chain",
        ...chain,
        // The best of a sweep of batches (100 to 500), envelopes (1 to 50) and concurrency (1 to 4) on two cores.
        shapes: options.short
          ? [
              { batchLeads: 250, perEnvelope: 1, concurrency: 2 },
              { batchLeads: 250, perEnvelope: 50, concurrency: 2 },
            ]
          : [
              { batchLeads: 250, perEnvelope: 1, concurrency: 2 },
              { batchLeads: 500, perEnvelope: 1, concurrency: 2 },
              { batchLeads: 250, perEnvelope: 10, concurrency: 2 },
              { batchLeads: 250, perEnvelope: 50, concurrency: 1 },
              { batchLeads: 250, perEnvelope: 50, concurrency: 2 },
              { batchLeads: 500, perEnvelope: 50, concurrency: 2 },
            ],
        leads: 40_000,
        goal: 0.8,
      },
      options,
    )),
    ...(redis ? await againstPeers(redis, chain, options) : []),
  ];
};
