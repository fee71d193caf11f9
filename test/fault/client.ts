import { setTimeout as delay } from "node:timers/promises";
import type { GeneratedLead } from "../../bin/demo/leads.ts";

export type Path = "takeIn" | "lookUp";

/** One request as its sender saw it. */
export interface Sample {
  path: Path;
  /** When it was sent, ms since 1970. */
  at: number;
  ms: number;
  ok: boolean;
  /** What came instead of an answer that is right. */
  fault?: string;
}

export interface Answer {
  status: number;
  json: any;
}

/** So many right answers one after another: each of the two processes behind them has given some. */
export const inARow = 5;
/** How long a gateway that is well may take to hear of a new key, and to give them, ms. */
const servedWithinMs = 60_000;

/** How long one gateway is given before the other is asked, and stays with it: what a balancer would do. */
const tryMs = 4_000;

/**
 * Calls the API as a client behind a balancer does: a gateway that refuses, breaks off or says nothing within
 * {@link tryMs} is passed over for the next one. What it asks may be asked twice: leads have source ids. `inTurn`: each
 * request goes to the next gateway, so that all of them have work; else it stays with one until that fails.
 */
export class Client {
  readonly samples: Sample[] = [];
  readonly #gateways: readonly string[];
  readonly #key: string;
  readonly #inTurn: boolean;
  #turn = 0;

  constructor(gateways: readonly string[], key: string, inTurn = false) {
    this.#gateways = gateways;
    this.#key = key;
    this.#inTurn = inTurn;
  }

  /** Which gateway it uses. */
  get gateway(): number {
    return this.#turn % this.#gateways.length;
  }
  /** Turns to one of them. */
  use(gateway: number): void {
    this.#turn = gateway;
  }
  get authorization(): string {
    return `Bearer ${this.#key}`;
  }

  /** Its id when it was answered 202. */
  async takeIn(lead: GeneratedLead): Promise<string | undefined> {
    const body = JSON.stringify(lead);
    const { status, json } = await this.#sampled("takeIn", 202, "/v1/leads", { method: "POST", body });
    return status === 202 ? json.id : undefined;
  }

  async lookUp(id: string): Promise<void> {
    await this.#sampled("lookUp", 200, `/v1/leads/${id}`, {});
  }

  /** Waits until a gateway knows the key and whoever reads the record for it answers. Throws when they do not. */
  async isServedBy(gateway: string): Promise<void> {
    const deadline = Date.now() + servedWithinMs;
    for (let served = 0, said = "nothing"; served < inARow; ) {
      if (Date.now() > deadline)
        throw new Error(`the mesh was not well before the fault: look-ups are answered ${said}`);
      const answer = await fetch(`${gateway}/v1/leads?limit=1`, {
        headers: { authorization: this.authorization },
        signal: AbortSignal.timeout(tryMs),
      }).catch(() => undefined);
      if (answer) said = `${answer.status} ${(await answer.text()).slice(0, 200)}`;
      served = answer?.ok ? served + 1 : 0;
      if (served === 0) await delay(100);
    }
  }

  async #sampled(path: Path, right: number, url: string, init: RequestInit): Promise<Answer> {
    const at = Date.now();
    const from = performance.now();
    const answer = await this.#ask(url, init);
    const ok = answer.status === right;
    this.samples.push({
      ...{ path, at, ms: performance.now() - from, ok },
      ...(ok ? {} : { fault: `${answer.status} ${JSON.stringify(answer.json).slice(0, 200)}` }),
    });
    return answer;
  }

  async #ask(url: string, init: RequestInit): Promise<Answer> {
    const headers = { authorization: this.authorization, "content-type": "application/json" };
    let fault = "";
    const first = this.#inTurn ? this.#turn++ : undefined;
    for (let tries = 0; tries < this.#gateways.length; tries++) {
      const turn = first === undefined ? this.#turn : first + tries;
      const gateway = this.#gateways[turn % this.#gateways.length]!;
      try {
        const answer = await fetch(gateway + url, { ...init, headers, signal: AbortSignal.timeout(tryMs) });
        const json = await answer.json();
        return { status: answer.status, json };
      } catch (error) {
        const { name, cause } = error as Error & { cause?: { code?: string } };
        fault = cause?.code ?? name;
        // Of those that met the fault together the first one turns away.
        if (first === undefined && this.#turn === turn) this.#turn++;
      }
    }
    return { status: 0, json: fault };
  }
}
