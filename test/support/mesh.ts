import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import type { NatsConnection } from "nats";
import type { Names } from "../../config/names.ts";
import type { StageConfig } from "../../config/pipeline.ts";
import type { Settings } from "../../config/settings.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import { type Resources, resourcesOf } from "../../mixins/resources.ts";
import { trackLeak } from "./leaks.ts";
import { type TestPlace, testPlace, withSettings } from "./servers.ts";

const root = join(import.meta.dirname, "..", "..");

export interface MeshOptions {
  /** Service files by their path from the project's root, or schemas. */
  services: (string | ServiceSchema)[];
  /** Shared by several meshes that are to be one; else one is made, and disposed of with the mesh. */
  place?: Pick<TestPlace, "settings" | "names">;
  /** Settings by their `LEADS_` names. */
  env?: Record<string, string>;
  /** Another pipeline than the product's. */
  flow?: readonly StageConfig[];
}

export interface TestMesh extends AsyncDisposable {
  broker: ServiceBroker;
  settings: Settings;
  names: Names;
  resources: Resources;
  nats: NatsConnection;
  /** Stops the broker, as SIGTERM does to a process; disposing does it too. */
  stop(): Promise<void>;
}

/** A node of the mesh in this process, with these services loaded and started. */
export async function startMesh({ services, place, env = {}, flow }: MeshOptions): Promise<TestMesh> {
  const owned = place ? undefined : await testPlace(env);
  const { settings: base, names } = (place ?? owned)!;
  const settings = place ? withSettings(base, env) : base;
  const broker = new ServiceBroker({
    ...brokerOptions(settings, flow),
    nodeID: `test-${randomBytes(4).toString("hex")}`,
    skipProcessEventRegistration: true,
  });
  const untrack = trackLeak("a mesh");
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= broker.stop().finally(untrack);
    return stopped;
  };
  const dispose = async () => {
    try {
      await stop();
    } finally {
      await owned?.[Symbol.asyncDispose]();
    }
  };
  try {
    for (const service of services) {
      const schema =
        typeof service === "string"
          ? ((await import(pathToFileURL(join(root, service)).href)) as { default: ServiceSchema }).default
          : service;
      broker.createService(schema);
    }
    await broker.start();
    const resources = resourcesOf(broker);
    const nats = await resources.nats();
    return { broker, settings, names, resources, nats, stop, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose().catch(() => {});
    throw error;
  }
}
