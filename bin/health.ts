/**
 * `node bin/health.ts [NODE]`: does the node of the mesh in this container answer? Asks it through NATS, as its peers do,
 * so that an event loop that hangs, or a connection that is lost, is seen. Exit 0 when it answers within 3 s.
 */
import { hostname } from "node:os";
import { ServiceBroker } from "moleculer";
import { loadSettings } from "../config/settings.ts";
import { connectNats } from "../mixins/resources.ts";

const answerMs = 3_000;

const settings = loadSettings();
// In a container the node is process 1; Moleculer names it so.
const node = process.argv[2] ?? `${hostname().toLowerCase()}-1`;
const sender = `health-${hostname().toLowerCase()}-${process.pid}`;
const topic = (packet: string, to: string) => `MOL-${settings.prefix}.${packet}.${to}`;

const answered = Promise.withResolvers<boolean>();
setTimeout(() => answered.resolve(false), answerMs);
const nc = await connectNats({ ...settings }, sender);
nc.subscribe(topic("PONG", sender), { callback: () => answered.resolve(true) });
const ping = { ver: ServiceBroker.PROTOCOL_VERSION, sender, id: sender, time: Date.now() };
nc.publish(topic("PING", node), JSON.stringify(ping));
const isWell = await answered.promise;
if (!isWell) console.error(`${node} does not answer within ${answerMs} ms`);
process.exit(isWell ? 0 : 1);
