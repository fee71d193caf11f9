/**
 * A process with the dead letters' service, for tests that kill it in the middle of a job: `node redriver.ts` with a
 * mesh's settings in its environment. Writes `ready` when it works.
 */
import { ServiceBroker } from "moleculer";
import { loadSettings } from "../../config/settings.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import deadLetters from "../../services/dead-letters/dead-letters.service.ts";

const broker = new ServiceBroker({
  ...brokerOptions(loadSettings()),
  nodeID: `redriver-${process.pid}`,
  skipProcessEventRegistration: true,
});
broker.createService(deadLetters);
await broker.start();
process.stdout.write("ready\n");
