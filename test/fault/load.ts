import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type GeneratedLead, labelledLeads } from "../../bin/demo/leads.ts";
import { birthOf, end, signal } from "../../bin/stack/process.ts";
import { childEnvironment } from "../../bin/stack/tools.ts";
import { environmentOf } from "../../config/settings.ts";
import { acceptor } from "../../mixins/accept.ts";
import { jsApi } from "../../mixins/jetstream.ts";
import type { Resources } from "../../mixins/resources.ts";
import { normalise } from "../../services/intake/normalise.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { guarded, homeDir } from "../support/servers.ts";
import { Client, inARow } from "./client.ts";
import type { Double } from "./judge.ts";
import type { Line } from "./lines.ts";
import { type List, listOf } from "./list.ts";
import { endedCount } from "./proof.sql.ts";
import type { World } from "./world.ts";

const root = join(import.meta.dirname, "..", "..");

/** A lead that somebody was told is accepted. */
export interface Promised {
  leadId: string;
  /** When it was told, ms since 1970. */
  at: number;
}

/** Between two live leads, ms. */
const liveEveryMs = 120;
/** Between two look-ups, ms. */
const lookEveryMs = 200;
/** Runs of the importer until it must have ended well. */
const importRuns = 20;
/** Rows of a list that keeps the mesh at work for half a minute and more. */
const longList = 3_000;

/** What a row sends in: an import, live leads one by one, look-ups, and some poison. Keeps its own list of what was accepted. */
export class Load {
  readonly tenant: string;
  readonly client: Client;
  /** Answered 202, or stored by an import that ended well. The proof begins here. */
  readonly promised = new Map<string, Promised>();
  /** Those of them that came one by one. */
  readonly live: Promised[] = [];
  /** Of those that were promised, which are doubles, and of whom. */
  readonly doubles: Double[] = [];
  /** The web site of each lead that has one, as the mesh asks for it. */
  readonly sites = new Map<string, string>();
  /** Leads no stage can handle: they must be the only dead letters. */
  readonly poison = new Set<string>();
  /** Messages that are none: each must be a dead letter, too. */
  foreign = 0;
  /** Last message of the intake before the import. */
  intakeBefore = 0;
  importer: ChildProcess | undefined;
  importerLines: Line[] = [];
  importDone = false;
  readonly #world: World;
  readonly #seed: string;
  readonly #stop = new AbortController();
  readonly #imports: Promise<void>[] = [];
  #flows: Promise<void>[] = [];

  private constructor(world: World, tenant: string, seed: string, client: Client) {
    this.#world = world;
    this.tenant = tenant;
    this.#seed = seed;
    this.client = client;
  }

  static async begin(world: World, tenant: string, seed: string, leads: number): Promise<Load> {
    const client = new Client(world.gateways, await world.apiKey(tenant));
    const load = new Load(world, tenant, seed, client);
    for (const gateway of world.gateways) await client.isServedBy(gateway);
    await load.sendPoison();
    await load.import(leads);
    load.#flows = [load.#feed(), load.#look()];
    for (const flow of load.#flows) flow.catch(() => {});
    return load;
  }

  /** Were the last requests since then answered, of both kinds? */
  isAnswered(since: number): boolean {
    const looks = this.client.samples.filter(({ path, at }) => path === "lookUp" && at > since).slice(-inARow);
    const taken = this.live.filter(({ at }) => at > since);
    return taken.length >= inARow && looks.length === inARow && looks.every(({ ok }) => ok);
  }

  /** Begins an import of so many rows, of their own. */
  async import(leads: number): Promise<void> {
    const { nats, names } = this.#world;
    this.intakeBefore = (await jsApi(nats, `STREAM.INFO.${names.intake.stream}`)).state.last_seq;
    this.importDone = false;
    const one = this.#import(leads, this.#imports.length);
    one.catch(() => {});
    this.#imports.push(one);
  }

  /** Lets the imports and the live leads come to their end. Throws what ended them early. */
  async finish(): Promise<void> {
    await Promise.all(this.#imports);
    this.#stop.abort();
    await Promise.all(this.#flows);
  }

  /** Stops at once: the row has failed. */
  async abandon(): Promise<void> {
    this.#stop.abort();
    this.importer?.kill("SIGKILL");
    await Promise.allSettled([...this.#imports, ...this.#flows]);
  }

  #promise(leadId: string): void {
    if (!this.promised.has(leadId)) this.promised.set(leadId, { leadId, at: Date.now() });
  }

  /** Begins another import, a long one, where the mesh will soon have nothing more to do. */
  async keepBusy(): Promise<void> {
    const ended = await endedCount(this.#world.knex, this.tenant);
    if (this.importDone && this.promised.size - ended < longList / 2) await this.import(longList);
  }

  /** What was told, as the mesh reads it; notes its web site. Throws for what is no lead. */
  read(raw: GeneratedLead, now = Date.now()): Lead {
    const context = { tenant: this.tenant, source: "", trust: "imported", newId: randomUUID, now } as const;
    const read = normalise(raw, { ...context, defaultRegion: this.#world.settings.defaultRegion });
    if ("faults" in read) throw new Error(`this is no lead: ${JSON.stringify(read.faults)}`);
    const { leadId, fields } = read.lead;
    if (fields.website !== undefined) this.sites.set(leadId, fields.website);
    return read.lead;
  }

  #list(name: string, count: number): List {
    return listOf({ name, seed: this.#seed, count }, (lead) => this.read(lead).leadId);
  }

  #promiseAll({ ids, doubles }: List): void {
    for (const id of ids) this.#promise(id);
    this.doubles.push(...doubles);
  }
  /** `npm run import`, run again whenever it dies, until it says that all is stored. */
  async #import(leads: number, turn: number): Promise<void> {
    const name = `${this.tenant}-${turn}`;
    const list = this.#list(`import-${turn}`, leads);
    const file = join(homeDir(), `${name}.ndjson`);
    writeFileSync(file, list.text);
    const { settings, lines } = await this.#world.wired(`import-${name}`);
    this.importerLines = lines;
    try {
      for (let run = 1; ; run++) {
        const child = spawn(
          process.execPath,
          [join(root, "bin", "import.ts"), file, "--tenant", this.tenant, "--json"],
          {
            cwd: root,
            env: { ...childEnvironment(), ...environmentOf(settings) },
            stdio: ["ignore", "ignore", "pipe"],
          },
        );
        guarded(child.pid!);
        let said = "";
        child.stderr!.setEncoding("utf8").on("data", (part: string) => (said = (said + part).slice(-2_000)));
        this.importer = child;
        const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
        if (code === 0) break;
        if (this.#stop.signal.aborted) return;
        if (run === importRuns) throw new Error(`the import failed ${run} times: ${said}`);
        await delay(200);
      }
      this.#promiseAll(list);
      this.importDone = true;
    } finally {
      this.importer = undefined;
      rmSync(file, { force: true });
    }
  }

  /** Live leads at an even rate, whatever becomes of those before: an open model. */
  async #feed(): Promise<void> {
    const { signal } = this.#stop;
    const flying = new Set<Promise<void>>();
    let n = 0;
    for (const { lead, label } of labelledLeads({ count: 1_000_000, seed: `${this.#seed} live` })) {
      if (label !== "fresh") continue;
      const at = n++;
      const flight: Promise<void> = this.#takeIn({ ...lead, source: "live", sourceId: String(at) }).finally(() =>
        flying.delete(flight),
      );
      flying.add(flight);
      await delay(liveEveryMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) break;
    }
    await Promise.all(flying);
  }

  async #takeIn(lead: GeneratedLead): Promise<void> {
    this.read(lead);
    const id = await this.client.takeIn(lead);
    if (id === undefined) return;
    this.#promise(id);
    this.live.push(this.promised.get(id)!);
  }

  /** Looks a live lead up, the newest or any. */
  async #look(): Promise<void> {
    const { signal } = this.#stop;
    const flying = new Set<Promise<void>>();
    for (let n = 0; !signal.aborted; n++) {
      const one = this.live.at(n % 2 === 0 ? -1 : n % Math.max(1, this.live.length));
      if (one) {
        const flight: Promise<void> = this.client.lookUp(one.leadId).finally(() => flying.delete(flight));
        flying.add(flight);
      }
      await delay(lookEveryMs, undefined, { signal }).catch(() => {});
    }
    await Promise.all(flying);
  }

  /** Two leads without fields, which break whatever reads them, and a message that is none. */
  async sendPoison(): Promise<void> {
    const { nats, names, settings } = this.#world;
    const edge = acceptor({
      names,
      settings,
      flow: [{ name: "enrich" }],
      nats: async () => nats,
    } as unknown as Resources);
    for (let n = 0; n < 2; n++) {
      const leadId = randomUUID();
      const lead = { leadId, tenant: this.tenant, revision: Date.now(), source: "poison", fields: null, timeline: [] };
      await edge.one(lead as never, { tenant: this.tenant, requestId: "0".repeat(32), traceparent: "" });
      this.poison.add(leadId);
      this.#promise(leadId);
    }
    edge.close();
    nats.publish(names.mailbox("dedupe").subject("bulk"), `no envelope of ${this.tenant}`);
    await nats.flush();
    this.foreign++;
  }

  freezeImporter(): void {
    if (this.importer?.pid) signal({ pid: this.importer.pid, birth: birthOf(this.importer.pid)! }, "SIGSTOP");
  }
  thawImporter(): void {
    if (this.importer?.pid) signal({ pid: this.importer.pid, birth: birthOf(this.importer.pid)! }, "SIGCONT");
  }
  async killImporter(): Promise<void> {
    if (this.importer?.pid) await end({ pid: this.importer.pid, birth: birthOf(this.importer.pid)! }, 0, "SIGKILL");
  }

  /**
   * Sends a file to a gateway, a little at a time, again (to the other one) under the same key until it was read whole.
   * When half is sent it calls `atHalf` with whom it was sent to and how many rows, and sends no more until that has resolved.
   */
  async upload(
    leads: number,
    gateway: number,
    atHalf: (gateway: number, rows: number) => Promise<void>,
  ): Promise<void> {
    const list = this.#list("upload", leads);
    const lines = list.text.split(/(?<=\n)/);
    const { client } = this;
    const send = async (to: number): Promise<boolean> => {
      async function* body() {
        for (let at = 0; at < lines.length; at += 20) {
          yield Buffer.from(lines.slice(at, at + 20).join(""));
          if (at >= lines.length / 2) await atHalf(to, at);
          await delay(10);
        }
      }
      try {
        const answer = await fetch(`${this.#world.gateways[to]}/v1/leads/bulk?source=upload`, {
          method: "POST",
          headers: {
            authorization: client.authorization,
            "content-type": "application/x-ndjson",
            "idempotency-key": "upload",
          },
          body: body() as never,
          duplex: "half",
          signal: AbortSignal.timeout(60_000),
        } as RequestInit);
        const { accepted } = (await answer.json()) as { accepted?: number };
        return answer.ok && accepted === list.rows;
      } catch {
        return false;
      }
    };
    for (let n = 0; ; n++) {
      if (await send((gateway + n) % 2)) break;
      if (n === importRuns) throw new Error("the upload never ended well");
      await delay(300);
    }
    this.#promiseAll(list);
  }
}
