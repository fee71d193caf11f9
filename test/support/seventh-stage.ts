/**
 * Run in a copy of the project to which a stage was added: starts all services, sends one lead through them and prints
 * what the record says of it. The environment has the mesh's settings.
 */
import { globSync } from "node:fs";
import { join } from "node:path";
import { ServiceBroker } from "moleculer";
import { eventually } from "./eventually.ts";

/** A line that it prints: what became of a lead. */
export interface Told {
  reason: string;
  stages: string[];
}

const root = process.argv[2]!;
const from = (file: string) => import(join(root, file));
const { loadSettings } = await from("config/settings.ts");
const { brokerOptions } = await from("mixins/broker.ts");
const { resourcesOf } = await from("mixins/resources.ts");
const { acceptor } = await from("mixins/accept.ts");

const broker = new ServiceBroker({ ...brokerOptions(loadSettings()), nodeID: "seventh" });
for (const file of globSync("services/**/*.service.ts", { cwd: root })) {
  if (!file.includes("gateway")) broker.createService((await from(file)).default);
}
await broker.start();
const edge = acceptor(resourcesOf(broker));
const requestId = "0".repeat(32);
for (const lead of JSON.parse(process.argv[3]!)) {
  await edge.one(lead, { tenant: lead.tenant, requestId, traceparent: `00-${requestId}-0000000000000001-01` });
  const told = await eventually("the lead is completed", async () => {
    const found = await broker.call<any, any>("leads.get", { tenant: lead.tenant, id: lead.leadId });
    return found.state === "completed" && found;
  });
  const line: Told = { reason: told.reason, stages: told.timeline.map((entry: { stage: string }) => entry.stage) };
  console.log(JSON.stringify(line));
}
edge.close();
await broker.stop();
process.exit(0);
