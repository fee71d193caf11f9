import type { Context } from "moleculer";
import type { Told } from "../../mixins/metrics/bridge.ts";
import { type Cluster, clusterMetrics } from "../../mixins/metrics/cluster.ts";
import { snapshotEvent } from "../../mixins/metrics/process.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { Figures } from "./figures.ts";
import { Look } from "./look.ts";
import { Nodes } from "./nodes.ts";

interface Vars {
  nodes: Nodes;
  look: Look;
  timer: NodeJS.Timeout | undefined;
}

/** How often the streams are looked at while nobody asks, ms: how fast a backlog grows is known only from two looks. */
const lookEveryMs = 2_000;

/** Shows the cluster's metrics at one address, and where all processes serve theirs. docs/metrics.md */
export default defineService({
  name: "metrics",
  mixins: [
    clusterMetrics(async function (this: Cluster & Vars) {
      const figures = await this.look.figures();
      this.hide();
      for (const [name, labels, value] of figures) this.show(name, labels, value);
    }),
    defineMixin<Vars>()({}),
  ] as const,
  events: {
    [snapshotEvent](ctx: Context<Told[]>) {
      this.nodes?.take(ctx.nodeID ?? this.broker.nodeID, ctx.params, Date.now());
    },
  },
  created() {
    const { settings } = resourcesOf(this.broker);
    this.nodes = new Nodes(settings.metricsEveryMs);
    this.look = new Look(this.broker, this.nodes, new Figures(settings));
  },
  started() {
    this.timer = setInterval(() => void this.look.figures(), lookEveryMs);
    this.logger.info(`the cluster's metrics are at ${this.url}/metrics`);
  },
  async stopped() {
    clearInterval(this.timer);
  },
});
