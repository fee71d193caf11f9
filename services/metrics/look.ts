import type { ServiceBroker } from "moleculer";
import { jsApi } from "../../mixins/jetstream.ts";
import { meshReader } from "../../mixins/mesh-state.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import type { Figure, Figures, Known } from "./figures.ts";
import type { Nodes } from "./nodes.ts";

/** What changes slowly and costs more to look at is looked at this often, ms. */
const slowMs = 10_000;

/** Looks at everything that the cluster's figures come from. */
export class Look {
  readonly #broker: ServiceBroker;
  readonly #nodes: Nodes;
  readonly #figures: Figures;
  #dead: { at: number; figures: Figure[] } | undefined;
  #budgets: { at: number; figures: Figure[]; ok: boolean } | undefined;

  constructor(broker: ServiceBroker, nodes: Nodes, figures: Figures) {
    this.#broker = broker;
    this.#nodes = nodes;
    this.#figures = figures;
  }

  /** All figures; what cannot be read is left out, and said to be. */
  async figures(): Promise<Figure[]> {
    const [streams, budgets] = await Promise.all([this.#ofStreams().catch(() => null), this.#ofBudgets()]);
    return [
      ...(streams ?? []),
      ...budgets.figures,
      ["leads_source_up", { source: "nats" }, streams ? 1 : 0],
      ["leads_source_up", { source: "postgres" }, budgets.ok ? 1 : 0],
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

  async #ofBudgets(): Promise<{ figures: Figure[]; ok: boolean }> {
    const now = Date.now();
    if (this.#budgets && now - this.#budgets.at < slowMs) return this.#budgets;
    this.#budgets = { at: now, ...(await this.#askBudgets()) };
    return this.#budgets;
  }

  async #askBudgets(): Promise<{ figures: Figure[]; ok: boolean }> {
    // No service that keeps a budget: nothing to be told, and nothing is wrong.
    if (!this.#broker.registry.actions.isAvailable("budget.levels")) return { figures: [], ok: true };
    try {
      const levels: { window: string; level: number; tenants: number }[] = await this.#broker.call(
        "budget.levels",
        {},
        { timeout: 2_000, retries: 0 },
      );
      const figures = levels.map(({ window, level, tenants }): Figure => {
        return ["leads_budget_tenants", { window, level: String(level) }, tenants];
      });
      return { figures, ok: true };
    } catch {
      return { figures: [], ok: false };
    }
  }
}
