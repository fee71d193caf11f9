import { type Context, ServiceBroker } from "moleculer";
import { until } from "../../bin/stack/process.ts";
import type { Settings } from "../../config/settings.ts";
import type { StageState } from "../../mixins/actor.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import { defineService } from "../../mixins/schema.ts";

/** Hears instances of a stage that are told to go. */
export interface Leaving extends AsyncDisposable {
  /** Leads that the next of them had in hand at that moment, by its own word. */
  next(): Promise<number>;
}

const saidWithinMs = 10_000;

/** Joins the mesh as a node of its own, which hears what the stage's instances say of themselves. */
export async function hearLeaving(settings: Settings, stage: string): Promise<Leaving> {
  const inHand = new Map<string, number>();
  const broker = new ServiceBroker({
    ...brokerOptions(settings),
    ...{ nodeID: `bench-${process.pid}`, logger: false, skipProcessEventRegistration: true },
  });
  broker.createService(
    defineService({
      name: "leaving",
      events: {
        "stage.state"({ params: news }: Context<StageState>) {
          if (news.stage !== stage || news.state !== "draining") return;
          // Its first word of it: it says more while it finishes them.
          if (!inHand.has(news.nodeID)) inHand.set(news.nodeID, news.inHand);
        },
      },
    }),
  );
  await broker.start();
  let told = 0;
  return {
    async next() {
      await until(`an instance of ${stage} says that it leaves`, saidWithinMs, async () => inHand.size > told);
      return [...inHand.values()][told++]!;
    },
    [Symbol.asyncDispose]: () => broker.stop(),
  };
}
