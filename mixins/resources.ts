import { Redis } from "ioredis";
import type { Middleware, ServiceBroker } from "moleculer";
import { type ConnectionOptions, connect, type NatsConnection } from "nats";
import { type Names, namesFor } from "../config/names.ts";
import { pipeline, type StageConfig, sideStages } from "../config/pipeline.ts";
import { loadSettings, type Settings } from "../config/settings.ts";
import { type Erased, erasedWatch } from "./erased.ts";
import { Databases } from "./knex.ts";
import { onRead } from "./metrics/process.ts";
import "./nats-transport.ts";
import { PoolTeller } from "./pool-watch.ts";
import { onNobodysBehalf } from "./trace/scope.ts";

/**
 * What all services of one process share: settings, one NATS connection, the database pools, one Redis client.
 * Each is opened when first asked for and closed after the last service has stopped. Several meshes can live in one
 * process (tests do so): everything hangs on the broker, nothing on a module.
 */
export interface Resources {
  readonly settings: Settings;
  readonly names: Names;
  readonly databases: Databases;
  /** The stages a lead passes, in order. */
  readonly flow: readonly StageConfig[];
  /** Stages with a mailbox beside the flow. */
  readonly side: readonly StageConfig[];
  /** The process's NATS connection: reconnects for ever, has an inbox prefix of its own. */
  nats(): Promise<NatsConnection>;
  /** Who was erased lately; resolves when that has been read, which needs the bucket to be there (`ensureShared`). */
  erased(): Promise<Erased>;
  /** null where no Redis is configured. A command fails after 200 ms rather than wait for a Redis that is frozen. */
  redis(): Redis | null;
  /** Called when the process is told to stop, before any service stops: time to finish what is in hand. */
  onDrain(drain: () => Promise<void>): void;
}

const byBroker = new WeakMap<ServiceBroker, Resources>();

/** The resources of this broker's process. Throws when the broker was made without {@link resources}. */
export function resourcesOf(broker: ServiceBroker): Resources {
  const found = byBroker.get(broker);
  if (!found) throw new Error("this broker has no resources: add the resources() middleware to its options");
  return found;
}

/** Connects to NATS as every part of the mesh does: for ever, with pings that notice a dead peer within 20 s. */
export function connectNats(
  settings: Settings,
  name: string,
  first: Pick<ConnectionOptions, "waitOnFirstConnect" | "timeout"> = { waitOnFirstConnect: true },
): Promise<NatsConnection> {
  return connect({
    ...first,
    servers: settings.natsUrl.split(","),
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    pingInterval: 5_000,
    maxPingOut: 3,
    // Else each request makes an error, with its stack, in case that it will need one.
    noAsyncTraces: true,
    inboxPrefix: `_INBOX_${settings.prefix}_${name.replace(/[^A-Za-z0-9]/g, "")}`,
  });
}

/** Broker middleware that opens the process's resources and closes them last. Another `flow` is for tests and benches. */
export function resources(settings: Settings = loadSettings(), flow: readonly StageConfig[] = pipeline): Middleware {
  let nats: Promise<NatsConnection> | undefined;
  let redis: Redis | undefined;
  const databases = new Databases(settings);
  const drains: (() => Promise<void>)[] = [];
  let broker: ServiceBroker;
  let poolTeller: PoolTeller | undefined;
  const names = namesFor(settings.prefix);
  const connected = () => {
    // What its messages set off is not done for whoever asked for it first.
    nats ??= onNobodysBehalf(() => connectNats(settings, broker.nodeID));
    return nats;
  };
  const erased = erasedWatch(connected, names, (fault) => broker.logger.debug(fault));
  return {
    name: "resources",
    created(made: ServiceBroker) {
      broker = made;
      byBroker.set(broker, {
        settings,
        names,
        databases,
        flow,
        side: sideStages,
        nats: connected,
        erased: () => erased.get(),
        redis() {
          if (settings.redisUrl === "") return null;
          if (!redis) {
            redis = new Redis(settings.redisUrl, {
              commandTimeout: 200,
              connectTimeout: 2_000,
              maxRetriesPerRequest: 0,
              enableOfflineQueue: false,
              retryStrategy: (times) => Math.min(times * 100, 2_000),
            });
            redis.on("error", (error) => broker.logger.debug("redis", error.message));
          }
          return redis;
        },
        onDrain(drain) {
          drains.push(drain);
        },
      });
      poolTeller = new PoolTeller(broker, () => databases.pools());
      onRead(broker, (meter) => {
        for (const { name: database, used, free, waiting, limit } of databases.pools()) {
          meter.set("leads_pool_connections", { database, state: "used" }, used);
          meter.set("leads_pool_connections", { database, state: "free" }, free);
          meter.set("leads_pool_waiting", { database }, waiting);
          meter.set("leads_pool_limit_connections", { database }, limit);
        }
      });
    },
    async started() {
      poolTeller?.start();
    },
    async stopping() {
      poolTeller?.stop();
      await Promise.allSettled(drains.map((drain) => drain()));
    },
    async stopped() {
      erased.stop();
      await Promise.allSettled([nats?.then((nc) => nc.close()), databases.close()]);
      redis?.disconnect();
    },
  } as Middleware;
}
