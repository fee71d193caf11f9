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

/** The settings of the mesh that runs from this checkout; the environment's own go over them. */
export function stackSettings(stackDir: string): Settings {
  return loadSettings({ ...readState(stackDir).env, ...ownVariables() });
}

/** A command's own connection to the mesh, its streams made when no stage has yet. Ends with `close`. */
export async function openMesh(settings: Settings, name: string): Promise<Resources & { close(): Promise<void> }> {
  const connecting = connectNats(settings, name);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`NATS does not answer at ${settings.natsUrl}: is the mesh up?`)),
      connectMs,
    );
  });
  const nc = await Promise.race([connecting, late]).finally(() => clearTimeout(timer));
  const names = namesFor(settings.prefix);
  const databases = new Databases(settings);
  const erased = erasedWatch(
    async () => nc,
    names,
    () => {},
  );
  await ensureStreams(nc, names, settings, pipeline, sideStages);
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
    async close() {
      erased.stop();
      await Promise.allSettled([nc.close(), databases.close()]);
    },
  };
}
