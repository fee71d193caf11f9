import type { Settings } from "../../config/settings.ts";
import { RecentRate } from "../../mixins/actor/recent.ts";
import type { MeshState } from "../../mixins/mesh-state.ts";
import type { ClusterName, Labels } from "../../mixins/metrics.ts";
import { desired, desiredBy, drainSeconds, type Sign, within } from "./desired.ts";
import type { StageOfNodes } from "./nodes.ts";

/** A value of a gauge of the cluster. */
export type Figure = [name: ClusterName, labels: Labels, value: number];

export interface Known {
  stage: StageOfNodes;
  /** In the registry. */
  instances: number;
  /** Its bulk backlog rests in the intake too. */
  inFlow: boolean;
}

/** The cluster's figures, from what JetStream and the nodes say. */
export class Figures {
  readonly #settings: Settings;
  /** How fast each stage's backlog grows. */
  readonly #growth = new Map<string, RecentRate>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** All of them. `known` tells of a stage. To be asked every few seconds: a backlog's growth is what it was over them. */
  of(state: MeshState, known: (stage: string) => Known): Figure[] {
    const settings = this.#settings;
    const figures: Figure[] = [
      ["leads_drain_goal_seconds", { lane: "live" }, settings.drainLiveMs / 1_000],
      ["leads_drain_goal_seconds", { lane: "bulk" }, settings.drainBulkMs / 1_000],
      ["leads_instances_limit", { bound: "min" }, settings.instancesMin],
      ["leads_instances_limit", { bound: "max" }, settings.instancesMax],
      ["leads_jetstream_store_bytes", {}, state.store.bytes],
    ];
    if (state.store.limitBytes !== null)
      figures.push(["leads_jetstream_store_limit_bytes", {}, state.store.limitBytes]);
    for (const [stream, { messages, bytes, limitBytes }] of Object.entries(state.streams)) {
      figures.push(["leads_stream_messages", { stream }, messages], ["leads_stream_bytes", { stream }, bytes]);
      if (limitBytes !== null) figures.push(["leads_stream_limit_bytes", { stream }, limitBytes]);
    }
    figures.push(...intakeFigures(state), ...state.lanes.flatMap(laneFigures));
    for (const stage of new Set(state.lanes.map((lane) => lane.stage)))
      figures.push(...this.#stageFigures(stage, state, known(stage)));
    return figures;
  }

  #stageFigures(stage: string, state: MeshState, { stage: nodes, instances, inFlow }: Known): Figure[] {
    const { drainLiveMs, drainBulkMs, instancesMin: min, instancesMax: max, instanceRate } = this.#settings;
    const lanes = state.lanes.filter((lane) => lane.stage === stage);
    const backlogOf = (name: string) => {
      const lane = lanes.find((each) => each.lane === name);
      return lane ? lane.ready + lane.unacknowledged : 0;
    };
    const live = backlogOf("live");
    const bulk = backlogOf("bulk") + (inFlow ? state.intake.leads : 0);
    const growth = this.#growth.get(stage) ?? new RecentRate();
    this.#growth.set(stage, growth);
    const arrival = Math.max(0, nodes.completed + growth.at(state.at, live + bulk));
    const mu = nodes.mu ?? instanceRate;
    const paused = lanes.some((lane) => lane.paused !== null);
    const standing = { instances, held: paused || nodes.inOutage };
    const backlogs = [
      { leads: live, goalSeconds: drainLiveMs / 1_000 },
      { leads: bulk, goalSeconds: drainBulkMs / 1_000 },
    ];
    const limits = { min, max };
    const signs: [Sign, number | null][] = [
      ["cpu", nodes.cpu],
      ["memory", nodes.memory],
      ["batch_p95", nodes.batchP95],
    ];
    return [
      ["leads_paused", { stage }, paused ? 1 : 0],
      ["leads_instances", { stage }, instances],
      ["leads_arrival_leads_per_second", { stage }, arrival],
      ["leads_completion_leads_per_second", { stage }, nodes.completed],
      ["leads_instance_leads_per_second", { stage }, mu],
      ["leads_drain_seconds", { stage }, drainSeconds(live + bulk, nodes.completed)],
      ["leads_desired_instances", { stage }, within(desired({ arrival, mu, backlogs }), limits, standing)],
      ...signs.flatMap(([by, value]): Figure[] =>
        value === null ? [] : [["leads_desired_instances_by", { stage, by }, desiredBy(by, instances, value)]],
      ),
    ];
  }
}

function laneFigures({ stage, lane, envelopes, oldestMs, ...leads }: MeshState["lanes"][number]): Figure[] {
  const labels = { stage, lane };
  const states = [
    ["pending", leads.ready, envelopes.ready],
    ["unacknowledged", leads.unacknowledged, envelopes.unacknowledged],
    ["parked", leads.parked, envelopes.parked],
  ] as const;
  return [
    ...states.flatMap(([state, inLeads, inEnvelopes]): Figure[] => [
      ["leads_backlog_leads", { ...labels, state }, inLeads],
      ["leads_backlog_envelopes", { ...labels, state }, inEnvelopes],
    ]),
    ["leads_oldest_age_seconds", labels, (oldestMs ?? 0) / 1_000],
  ];
}

function intakeFigures({ intake }: MeshState): Figure[] {
  const labels = { stage: "intake", lane: "bulk" };
  return [
    ["leads_backlog_leads", { ...labels, state: "pending" }, intake.leads],
    ["leads_backlog_envelopes", { ...labels, state: "pending" }, intake.envelopes],
    ["leads_oldest_age_seconds", labels, (intake.oldestMs ?? 0) / 1_000],
  ];
}
