/** A process of its own that sends: the services `sender` and `smtp` on the settings of its environment, for tests that kill it. */
import { ServiceBroker } from "moleculer";
import { loadSettings } from "../../config/settings.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import sender from "../../services/email/sender.service.ts";
import smtp from "../../services/smtp/smtp.service.ts";

const broker = new ServiceBroker({ ...brokerOptions(loadSettings()), nodeID: `sender-${process.pid}` });
broker.createService({ ...sender, settings: { leaseMs: 1_500, pollMs: 50 } });
broker.createService(smtp);
await broker.start();
console.log("started");
