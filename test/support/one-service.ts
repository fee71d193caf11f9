/**
 * A process with one service, for tests that kill it: `node one-service.ts <path>` with a mesh's settings in its
 * environment. Writes `ready` when it works.
 */
import { join } from "node:path";
import { ServiceBroker } from "moleculer";
import { loadSettings } from "../../config/settings.ts";
import { brokerOptions } from "../../mixins/broker.ts";

const broker = new ServiceBroker({
  ...brokerOptions(loadSettings()),
  nodeID: `one-${process.pid}`,
  skipProcessEventRegistration: true,
});
const { default: service } = await import(join(import.meta.dirname, "..", "..", process.argv[2]!));
broker.createService(service);
await broker.start();
process.stdout.write("ready\n");
