import { join } from "node:path";
import { debianProgram } from "../../bin/stack/debian.ts";

const stackDir = join(import.meta.dirname, "..", "..", ".stack");

/** The program of a Debian package; where it cannot be had the test is skipped, saying so. */
export async function programOr(
  test: { skip(): never },
  packageName: string,
  program: string = packageName,
): Promise<string> {
  try {
    return await debianProgram(stackDir, packageName, program);
  } catch (error) {
    console.log(`# skipped, no ${program}: ${(error as Error).message}`);
    return test.skip();
  }
}

/** Asks a Prometheus. */
export class Prom {
  readonly #url: string;
  constructor(url: string) {
    this.#url = url;
  }

  /** The one value of a query; undefined when it has none. */
  async value(query: string): Promise<number | undefined> {
    const [first] = await this.#ask("query", { query });
    return first?.value === undefined ? undefined : Number(first.value[1]);
  }

  /** The values of each series between two moments (ms since 1970), a second apart; what is NaN is left out. */
  async range(query: string, from: number, to: number): Promise<number[][]> {
    const asked = { query, start: String(from / 1_000), end: String(to / 1_000), step: "1" };
    const series = await this.#ask("query_range", asked);
    return series
      .map(({ values = [] }) => values.map(([, value]) => Number(value)).filter((value) => !Number.isNaN(value)))
      .filter((values) => values.length > 0);
  }

  /** The alerts that fire now. */
  async firing(): Promise<{ alert: string; labels: Record<string, string>; runbook: string }[]> {
    const answer = await fetch(`${this.#url}/api/v1/alerts`);
    const { data } = (await answer.json()) as {
      data: { alerts: { state: string; labels: Record<string, string>; annotations: Record<string, string> }[] };
    };
    return data.alerts
      .filter(({ state }) => state === "firing")
      .map(({ labels, annotations }) => ({ alert: labels["alertname"]!, labels, runbook: annotations["runbook"]! }));
  }

  async #ask(
    what: string,
    params: Record<string, string>,
  ): Promise<{ value?: [number, string]; values?: [number, string][] }[]> {
    const answer = await fetch(`${this.#url}/api/v1/${what}?${new URLSearchParams(params)}`);
    const body = (await answer.json()) as { status: string; error?: string; data: { result: [] } };
    if (body.status !== "success") throw new Error(`${params["query"]}: ${body.error}`);
    return body.data.result;
  }
}
