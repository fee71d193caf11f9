import type { ServiceBroker } from "moleculer";
import { LeadsError } from "../../mixins/errors.ts";
import { meshReader } from "../../mixins/mesh-state.ts";
import { type PoolNews, PoolWatch, poolText } from "../../mixins/pool-watch.ts";
import { type Resources, resourcesOf } from "../../mixins/resources.ts";
import { History, type StageHistory } from "./history.ts";
import {
  heard,
  type Instance,
  instancesOf,
  type News,
  rateOf,
  type Stage,
  type Standstill,
  stagesOf,
  standstill,
  tooSlow,
} from "./stages.ts";

const tickMs = 1_000;
/** An instance is asked for its state when it has not told it yet. */
const askMs = 1_000;

/** Keeps what the stages' instances say and how their mailboxes move, for as long as the process lives. */
export class MeshWatch {
  readonly #broker: ServiceBroker;
  readonly #resources: Resources;
  readonly #onChange: (stage: Stage) => void;
  readonly #instances = new Map<string, Instance>();
  readonly #still = new Map<string, Standstill>();
  /** Since when a stage has been too slow. */
  readonly #slow = new Map<string, number>();
  readonly #pools = new PoolWatch();
  /** What was last told of each stage. */
  readonly #told = new Map<string, string>();
  readonly #history = new History();
  #adopted = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(broker: ServiceBroker, onChange: (stage: Stage) => void) {
    this.#broker = broker;
    this.#resources = resourcesOf(broker);
    this.#onChange = onChange;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#tick(), tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  hear(news: News): void {
    const key = `${news.nodeID} ${news.stage}`;
    this.#instances.set(key, heard(this.#instances.get(key), news, Date.now()));
  }

  hearOfPool(news: PoolNews): void {
    this.#pools.hear(news, Date.now());
  }

  forget(nodeID: string): void {
    this.#pools.forget(nodeID);
    for (const [key, { news }] of this.#instances) if (news.nodeID === nodeID) this.#instances.delete(key);
  }

  /** All stages, those beside the flow last. Throws an outage when NATS does not answer. */
  async stages(): Promise<Stage[]> {
    const { flow, side, settings } = this.#resources;
    const [{ lanes }] = await Promise.all([meshReader(this.#resources).read(), this.#ask()]);
    const now = Date.now();
    const names = [...flow, ...side].map(({ name }) => name);
    const goalsMs: Record<string, number> = { live: settings.drainLiveMs, bulk: settings.drainBulkMs };
    const stillSince = new Map<string, number>();
    const instances = [...this.#instances.values()];
    for (const lane of lanes) {
      const key = `${lane.stage} ${lane.lane}`;
      const state = standstill(this.#still.get(key), lane, now);
      this.#still.set(key, state);
      if (state.since !== null) stillSince.set(lane.stage, Math.min(state.since, stillSince.get(lane.stage) ?? now));
    }
    for (const name of names) {
      const rate = rateOf(instancesOf(name, instances, now));
      const isSlow = lanes.some((lane) => lane.stage === name && tooSlow(lane, rate, goalsMs[lane.lane]!));
      if (!isSlow) this.#slow.delete(name);
      else if (!this.#slow.has(name)) this.#slow.set(name, now);
    }
    const usedUp = this.#pools.usedUp(now).map((pool) => ({ ...pool, text: poolText(pool, now) }));
    const signs = { stillSince, slowSince: this.#slow, usedUp, silentMs: settings.watchdogMs, goalsMs };
    return stagesOf(names, lanes, instances, signs, now);
  }

  /** The last hour, of one stage or of all. Throws `NOT_FOUND`. */
  history(stage?: string): StageHistory {
    const { flow, side } = this.#resources;
    const names = [...flow, ...side].map(({ name }) => name);
    if (stage !== undefined && !names.includes(stage)) throw new LeadsError("NOT_FOUND", "there is no such stage");
    return this.#history.of(stage === undefined ? names : [stage]);
  }

  /** Asks those instances that the registry knows and that have not been heard: they told before this process came. */
  async #ask(): Promise<void> {
    const { flow, side } = this.#resources;
    const actions = new Set([...flow, ...side].map(({ name }) => `${name}.state`));
    const unheard = this.#offered((name) => actions.has(name)).filter(
      ({ name, nodeID }) => !this.#instances.has(`${nodeID} ${name.slice(0, -".state".length)}`),
    );
    await Promise.all(
      unheard.map(async ({ name, nodeID }) => {
        const news = this.#broker.call<News, object>(name, {}, { nodeID, timeout: askMs, retries: 0 });
        await news.then((told) => this.hear(told)).catch(() => {});
      }),
    );
  }

  /** Actions of these names, by each node that offers them. */
  #offered(wanted: (name: string) => boolean): { name: string; nodeID: string }[] {
    const list = this.#broker.registry.getActionList({ onlyAvailable: true, withEndpoints: true }) as {
      name: string;
      endpoints?: { nodeID: string }[];
    }[];
    return list
      .filter(({ name }) => wanted(name))
      .flatMap(({ name, endpoints = [] }) => endpoints.map(({ nodeID }) => ({ name, nodeID })));
  }

  /** Whoever has just come shows the hour that another has watched: whichever answers, the curves are the same. */
  async #adopt(): Promise<void> {
    const own = this.#broker.nodeID;
    const other = this.#offered((name) => name === "operations.history").find(({ nodeID }) => nodeID !== own);
    if (!other) return;
    const options = { nodeID: other.nodeID, timeout: askMs, retries: 0 };
    await this.#broker
      .call<StageHistory, object>(other.name, {}, options)
      .then((kept) => this.#history.adopt(kept))
      .catch(() => {});
  }

  async #tick(): Promise<void> {
    try {
      if (!this.#adopted) {
        this.#adopted = true;
        await this.#adopt();
      }
      const stages = await this.stages();
      this.#history.add(stages, Date.now());
      for (const stage of stages) {
        const { name, state, since, why, by } = stage;
        // Why it is slow, or its pool used up, has figures that change all the time.
        const text = JSON.stringify([state, why?.replace(/\d+(\.\d+)?/g, "n"), by]);
        const before = this.#told.get(name);
        this.#told.set(name, text);
        if (before !== undefined && before !== text) this.#onChange({ ...stage, ...(since && { since }) });
      }
    } catch (error) {
      // Whoever asks is told so.
      this.#broker.logger.debug("cannot look at the mailboxes", (error as Error).message);
    }
  }
}
