import { setTimeout as delay } from "node:timers/promises";
import { jsApi } from "../../mixins/jetstream.ts";
import type { Sample } from "../../test/fault/client.ts";
import type { Promised } from "../../test/fault/load.ts";
import type { World } from "../../test/fault/world.ts";
import { type Times, timesOf } from "../pipeline/times.ts";
import { Sampler } from "../processes/usage.ts";
import { databaseBytes, endedOf } from "./ended.sql.ts";
import type { SteadyLoad } from "./load.ts";

/** What one process held in a minute: the median of its looks. */
export interface Held {
  pid: number;
  memoryBytes: number;
  descriptors: number;
}

/** A line of the soak: what was seen in one minute. */
export interface Minute {
  minute: number;
  /** How long it was, s: a fault that outlasts it makes it longer. */
  seconds: number;
  fault: string;
  /** The fault met work in hand, and was healed; else why not. */
  struck: true | string;
  sent: number;
  accepted: number;
  /** Requests that were not answered 202. */
  errors: number;
  /** Of the API's answers, ms. */
  api: Times | null;
  /** From the answer 202 to the last stage's verdict, of those that came to it in this minute, ms. */
  endToEnd: Times | null;
  /** Conservation so far: all that were accepted = ended + open. */
  acceptedInAll: number;
  endedInAll: number;
  open: number;
  /** How long the oldest of the open ones has waited, s. */
  oldestSeconds: number;
  /** E-mails that the SMTP server took, and those that it took twice. */
  mails: number;
  doubledMails: number;
  processes: Record<string, Held>;
  streams: Record<string, { messages: number; bytes: number }>;
  databaseBytes: number;
}

/** Between two looks at the processes, ms. */
const lookEveryMs = 5_000;

/** How long a server that was just broken may take to answer us again, ms. */
const patienceMs = 60_000;

/** Asks until it is answered: a fault of this minute may have cut our own connections, too. */
async function patient<T>(ask: () => Promise<T>): Promise<T> {
  for (const until = Date.now() + patienceMs; ; await delay(500)) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > until) throw error;
    }
  }
}

/** Looks at everything, and keeps no more than what is still open. */
export class Watch implements Disposable {
  readonly #world: World;
  readonly #load: SteadyLoad;
  readonly #sampler: Sampler;
  /** Accepted and not yet at their end. */
  readonly #open = new Map<string, number>();
  readonly #mails = new Map<string, number>();
  #ended = 0;
  #doubled = 0;
  #sent = 0;
  #accepted = 0;

  constructor(world: World, load: SteadyLoad) {
    this.#world = world;
    this.#load = load;
    this.#sampler = new Sampler(() => world.pids(), lookEveryMs);
  }

  /** Closes a minute. */
  async minute(minute: number, seconds: number, fault: string, struck: true | string): Promise<Minute> {
    const samples = this.#load.takeSamples();
    const { sent, accepted } = this.#load;
    const endToEnd = await this.settle(await this.#load.takeAccepted());
    const at = Date.now();
    this.#takeMails();
    const line: Minute = {
      ...{ minute, seconds, fault, struck },
      sent: sent - this.#sent,
      accepted: accepted - this.#accepted,
      errors: samples.filter(({ ok }) => !ok).length,
      api: answered(samples),
      endToEnd: endToEnd.length === 0 ? null : timesOf(endToEnd),
      ...{ acceptedInAll: accepted, endedInAll: this.#ended, open: this.#open.size },
      oldestSeconds: Math.round((at - Math.min(at, ...[...this.#open.values()].slice(0, 1))) / 1_000),
      ...{ mails: this.#mails.size, doubledMails: this.#doubled },
      processes: this.#processes(),
      streams: await patient(() => streamsOf(this.#world)),
      databaseBytes: await patient(() => databaseBytes(this.#world.knex)),
    };
    [this.#sent, this.#accepted] = [sent, accepted];
    return line;
  }

  /** Asks the record for those that were open, with these new ones. Answers how long each took that has ended, ascending, ms. */
  async settle(more: readonly Promised[] = []): Promise<number[]> {
    for (const { leadId, at } of more) this.#open.set(leadId, at);
    const ended = await patient(() => endedOf(this.#world.knex, this.#load.tenant, [...this.#open.keys()]));
    const times: number[] = [];
    for (const [leadId, at] of ended) {
      // The answer may come to the sender after the verdict.
      times.push(Math.max(0, at - this.#open.get(leadId)!));
      this.#open.delete(leadId);
    }
    this.#ended += ended.size;
    return times.sort((a, b) => a - b);
  }

  /** Leads that were promised and have not ended. */
  get open(): string[] {
    return [...this.#open.keys()];
  }

  get doubledMails(): number {
    this.#takeMails();
    return this.#doubled;
  }

  /** Counts and lets go what the servers of the outside world have kept for tests. */
  #takeMails(): void {
    const { box, pagespeed } = this.#world;
    for (const { messageId } of box.received.splice(0)) {
      const times = (this.#mails.get(messageId) ?? 0) + 1;
      this.#mails.set(messageId, times);
      if (times === 2) this.#doubled++;
    }
    pagespeed.answers.length = 0;
    pagespeed.requests.length = 0;
  }

  #processes(): Record<string, Held> {
    const looks = this.#sampler.samples.splice(0);
    const held: Record<string, Held> = {};
    for (const [name, pid] of this.#world.pids()) {
      const seen = looks.flatMap(({ processes }) => processes.get(name) ?? []);
      if (seen.length === 0) continue;
      const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
      held[name] = {
        pid,
        memoryBytes: median(seen.map(({ memoryBytes }) => memoryBytes)),
        descriptors: median(seen.map(({ descriptors }) => descriptors)),
      };
    }
    return held;
  }

  [Symbol.dispose](): void {
    this.#sampler[Symbol.dispose]();
  }
}

function answered(samples: readonly Sample[]): Times | null {
  if (samples.length === 0) return null;
  return timesOf(samples.map(({ ms }) => ms).sort((a, b) => a - b));
}

async function streamsOf({ nats, names }: World): Promise<Minute["streams"]> {
  const { streams } = await jsApi(nats, "STREAM.LIST");
  return Object.fromEntries(
    streams
      .filter(({ config }: any) => config.name.startsWith(names.streams))
      .map(({ config, state }: any) => [config.name, { messages: state.messages, bytes: state.bytes }]),
  );
}
