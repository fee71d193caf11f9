import type { Context, ServiceSchema } from "moleculer";
import { operated } from "./operation-log.ts";
import { resourcesOf } from "./resources.ts";
import { defineService } from "./schema.ts";

/** Until the answer has left the process that is told to leave. */
const graceMs = 200;

/** What every process of the mesh can be asked, by its node id. `leave` ends it in order, as SIGTERM does. */
export function nodeService(leave: () => void): ServiceSchema {
  return defineService({
    name: "node",
    actions: {
      /** Stops taking, finishes or hands back what is in hand, and ends. Whoever supervises it may start it again. */
      drain: {
        params: { by: "string|min:1|max:100" },
        async handler(ctx: Context<{ by: string }>) {
          const { nats, names } = resourcesOf(this.broker);
          const operation = { tenant: "", by: ctx.params.by, what: "node.drain", target: this.broker.nodeID };
          await operated(await nats(), names, operation, async () => {
            setTimeout(leave, graceMs);
          });
          return { node: this.broker.nodeID, leaves: true };
        },
      },
    },
  });
}
