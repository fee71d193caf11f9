import { flushCompileCache } from "node:module";
import { type BrokerOptions, ServiceBroker } from "moleculer";
import { loadSettings, type Settings, SettingsError, shieldEnvironment } from "./config/settings.ts";
import { brokerOptions } from "./mixins/broker.ts";
import { outliveOutput } from "./mixins/log.ts";
import { nodeService } from "./mixins/node.ts";
import { giveWay } from "./mixins/priority.ts";

const stopDelayMs = 1_000;
/**
 * Of a process that works for one lane alone. The API and the servers go first: an answer takes some milliseconds of them
 * whatever is in work. Where both lanes want all of a processor a tenth of it is the bulk lane's.
 */
const niceness = { live: 5, bulk: 15 } as const;

/**
 * The node that `moleculer-runner-esm --config moleculer.config.ts --mask "**\/*.service.ts" services` starts.
 * A wrong setting ends it before anything is connected, with every fault.
 */
function configure(): BrokerOptions {
  outliveOutput();
  let settings: Settings;
  try {
    settings = loadSettings();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
  if (settings.lanes !== "both") giveWay(niceness[settings.lanes]);
  const options = brokerOptions(settings);
  const ignored = shieldEnvironment({ ...ServiceBroker.defaultOptions, ...options });
  return {
    ...options,
    // Between "call me no more" and refusing calls: on a busy machine the others take longer to hear it than the usual 100 ms.
    registry: { ...options.registry, stopDelay: stopDelayMs },
    created(broker) {
      for (const name of ignored) broker.logger.warn(`${name} in the environment is not a setting of ours: ignored`);
      broker.createService(nodeService(() => process.kill(process.pid, "SIGTERM")));
      // Moleculer stops on these by itself, and then exits; this is for a stop that does not come to its end.
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => leaveWithin(settings.drainMs));
    },
    started() {
      // Else at its exit alone, and not when it is killed.
      flushCompileCache();
    },
  };

  function leaveWithin(ms: number): void {
    setTimeout(() => {
      console.error(`did not stop within ${ms} ms: leaving what is in hand to be delivered again`);
      process.exit(1);
    }, ms).unref();
  }
}

export default configure();
