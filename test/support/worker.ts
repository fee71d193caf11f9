/**
 * A process with one stage, for tests that kill it: `node worker.ts '<json>'` with a mesh's settings in its
 * environment. Writes `ready` when it works, and a line a batch begun; ends in order on SIGTERM.
 */
import { ServiceBroker } from "moleculer";
import type { StageConfig } from "../../config/pipeline.ts";
import { loadSettings } from "../../config/settings.ts";
import { forward } from "../../mixins/actor/outcome.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import { fileRecord } from "./actor.ts";
import { stage } from "./stages.ts";

export interface WorkerPlan {
  flow: StageConfig[];
  stage: string;
  /** Ended leads' ids, a line each. */
  record: string;
  /** What each batch takes, ms. */
  takesMs?: number;
  /** A lead with this name ends its process at once. */
  poison?: string;
  /** The handler never returns. */
  hangs?: boolean;
}

const plan: WorkerPlan = JSON.parse(process.argv[2]!);
const settings = loadSettings();
const broker = new ServiceBroker({
  ...brokerOptions(settings, plan.flow),
  nodeID: `worker-${process.pid}`,
  skipProcessEventRegistration: true,
});
const say = (line: string) => process.stdout.write(`${line}\n`);

broker.createService(
  stage(plan.stage, {
    async handle(batch) {
      say(`batch ${batch.length} ${batch.filter(({ redelivered }) => redelivered).length}`);
      if (batch.some(({ lead }) => lead.fields.name === plan.poison)) process.exit(9);
      if (plan.hangs) await new Promise(() => {});
      await new Promise((resolve) => setTimeout(resolve, plan.takesMs ?? 0));
      return batch.map(({ lead }) => forward(lead));
    },
    checkpoint: fileRecord(plan.record),
  }),
);
process.once("SIGTERM", async () => {
  await broker.stop();
  process.exit(0);
});
await broker.start();
say("ready");
