import type { ServiceBroker } from "moleculer";
import { jsApi } from "../../mixins/jetstream.ts";
import { meshReader } from "../../mixins/mesh-state.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import type { Figure, Figures, Known } from "./figures.ts";
import type { Nodes } from "./nodes.ts";

/** What changes slowly and costs more to look at is looked at this often, ms. */
const slowMs = 10_000;
/** The streams are waited for so long, ms, as the record is: Prometheus gives a scrape up after five seconds. */
const patienceMs = 2_000;

/** Looks at everything that the cluster's figures come from. */
export class Look {
  readonly #broker: ServiceBroker;
  readonly #nodes: Nodes;
  readonly #figures: Figures;
  #dead: { at: number; figures: Figure[] } | undefined;
  #record: { at: number; figures: Figure[]; ok: boolean } | undefined;

  constructor(broker: ServiceBroker, nodes: Nodes, figures: Figures) {
    this.#broker = broker;
    this.#nodes = nodes;
    this.#figures = figures;
  }

  /** All figures; what cannot be read is left out, and said to be. */
  async figures(): Promise<Figure[]> {
    const [streams, record] = await Promise.all([inTime(this.#ofStreams()), this.#ofRecord()]);
    return [
      ...(streams ?? []),
      ...record.figures,
      ["leads_source_up", { source: "nats" }, streams ? 1 : 0],
      ["leads_source_up", { source: "postgres" }, record.ok ? 1 : 0],
    ];
  }

  async #ofStreams(): Promise<Figure[]> {
    const resources = resourcesOf(this.#broker);
    const [state, dead] = await Promise.all([meshReader(resources).read(), this.#ofDead()]);
    const flow = new Set(resources.flow.map(({ name }) => name));
    const known = (stage: string): Known => ({
      stage: this.#nodes.of(stage, Date.now()),
      instances: this.#broker.registry.getActionEndpoints(`${stage}.state`)?.count() ?? 0,
      inFlow: flow.has(stage),
    });
    return [...this.#figures.of(state, known), ...dead];
  }

  /** By the subjects of the dead letters, which name stage and tenant. */
  async #ofDead(): Promise<Figure[]> {
    const now = Date.now();
    if (this.#dead && now - this.#dead.at < slowMs) return this.#dead.figures;
    const { nats, names, flow, side } = resourcesOf(this.#broker);
    const info = await jsApi(await nats(), `STREAM.INFO.${names.dead.stream}`, { subjects_filter: names.dead.all });
    const counts = new Map([...flow, ...side].map(({ name }) => [name, 0]));
    for (const [subject, count] of Object.entries<number>(info.state.subjects ?? {})) {
      const stage = subject.split(".").at(-2)!;
      counts.set(stage, (counts.get(stage) ?? 0) + count);
    }
    const figures = [...counts].map(([stage, count]): Figure => ["leads_dead_letters", { stage }, count]);
    this.#dead = { at: now, figures };
    return figures;
  }

  /** What is read in PostgreSQL, by the services that own it. */
  async #ofRecord(): Promise<{ figures: Figure[]; ok: boolean }> {
    const now = Date.now();
    if (this.#record && now - this.#record.at < slowMs) return this.#record;
    const [levels, overdue] = await Promise.allSettled([
      this.#ask<{ window: string; level: number; tenants: number }[]>("budget.levels"),
      this.#ask<number | null>("mail.overdue"),
    ]);
    const figures: Figure[] = [];
    if (levels.status === "fulfilled")
      for (const { window, level, tenants } of levels.value ?? [])
        figures.push(["leads_budget_tenants", { window, level: String(level) }, tenants]);
    if (overdue.status === "fulfilled" && typeof overdue.value === "number")
      figures.push(["leads_mail_overdue_seconds", {}, overdue.value]);
    // Where the budgets are told the database is there, whatever keeps the other one.
    this.#record = { at: now, figures, ok: levels.status === "fulfilled" };
    return this.#record;
  }

  /** Asks a service. Where there is none there is nothing to be told, and nothing is wrong. */
  async #ask<T>(action: string): Promise<T | undefined> {
    if (!this.#broker.registry.actions.isAvailable(action)) return undefined;
    return this.#broker.call<T, object>(action, {}, { timeout: patienceMs, retries: 0 });
  }
}

/** null where it fails, or takes too long. */
async function inTime<T>(asked: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patienceMs);
  });
  const answer = await Promise.race([asked.catch(() => null), late]);
  clearTimeout(timer);
  return answer;
}
