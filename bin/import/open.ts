import { setTimeout as delay } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { namesFor } from "../../config/names.ts";
import { pipeline, sideStages } from "../../config/pipeline.ts";
import { loadSettings, ownVariables, type Settings } from "../../config/settings.ts";
import { erasedWatch } from "../../mixins/erased.ts";
import { ensureStreams } from "../../mixins/jetstream.ts";
import { Databases } from "../../mixins/knex.ts";
import { connectNats, type Resources } from "../../mixins/resources.ts";
import { readState } from "../stack/state.ts";

/** How long a command waits for NATS before it says that there is none. */
const connectMs = 10_000;
const retryMs = 250;

/** The settings of the mesh that runs from this checkout; the environment's own go over them. */
export function stackSettings(stackDir: string): Settings {
  return loadSettings({ ...readState(stackDir).env, ...ownVariables() });
}

/** A command's own connection to the mesh, its streams made when no stage has yet. Ends with `close`. */
export async function openMesh(settings: Settings, name: string): Promise<Resources & { close(): Promise<void> }> {
  const nc = await connectSoon(settings, name);
  const names = namesFor(settings.prefix);
  const databases = new Databases(settings);
  const erased = erasedWatch(
    async () => nc,
    names,
    () => {},
  );
  const close = async () => {
    erased.stop();
    await Promise.allSettled([nc.close(), databases.close()]);
  };
  try {
    await ensureStreams(nc, names, settings, pipeline, sideStages);
  } catch (error) {
    // What stays open keeps the command from ending.
    await close();
    throw error;
  }
  return {
    settings,
    names,
    databases,
    flow: pipeline,
    side: sideStages,
    nats: async () => nc,
    erased: () => erased.get(),
    redis: () => null,
    onDrain: () => {},
    close,
  };
}

/** Tries until {@link connectMs} have passed: a client that waits for its first connection can't be told to give up. */
async function connectSoon(settings: Settings, name: string): Promise<NatsConnection> {
  for (const deadline = Date.now() + connectMs; ; ) {
    try {
      return await connectNats(settings, name, { timeout: connectMs });
    } catch {
      if (Date.now() > deadline) throw new Error(`NATS does not answer at ${settings.natsUrl}: is the mesh up?`);
      await delay(retryMs);
    }
  }
}
