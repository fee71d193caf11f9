/**
 * A process with one service, for tests that kill it: `node one-service.ts <path> [<pipeline as JSON>]` with a mesh's
 * settings in its environment. Writes `ready` when it works.
 */
import { join } from "node:path";
import { ServiceBroker } from "moleculer";
import { loadSettings } from "../../config/settings.ts";
import { brokerOptions } from "../../mixins/broker.ts";

const [service, flow] = process.argv.slice(2);
const broker = new ServiceBroker({
  ...brokerOptions(loadSettings(), flow === undefined ? undefined : JSON.parse(flow)),
  nodeID: `one-${process.pid}`,
  skipProcessEventRegistration: true,
});
broker.createService((await import(join(import.meta.dirname, "..", "..", service!))).default);
await broker.start();
process.stdout.write("ready\n");
