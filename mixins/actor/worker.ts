import { headers, type Lane, lanes as laneNames } from "../../config/names.ts";
import { ensureDue, ensureLane } from "../jetstream.ts";
import { type EnvelopeItem, maxLeads, type Route, unpack } from "./envelope.ts";
import { Lanes } from "./lanes.ts";
import { stepClock } from "./meter.ts";
import { Mover } from "./mover.ts";
import { OutageGate, type OutageState, sleep } from "./outage.ts";
import { type Item, retry, type Work } from "./outcome.ts";
import { ackBody, type Delivery, Puller } from "./puller.ts";
import { Quiet } from "./quiet.ts";
import { crashLoop } from "./settle.ts";
import { newStats } from "./stats.ts";
import { Steps, Stopped, type WorkerOptions } from "./steps.ts";
import { cutIntoSingles, Deaths } from "./suspects.ts";
import { Trail } from "./trail.ts";

/** An envelope delivered more often than this may have killed its worker: it is handled alone from now on. */
const suspectAfter = 5;
/** Deaths while handled alone that make it a dead letter. */
const deadAfter = 3;
/** Left of the drain's deadline for handing back and closing. */
const drainReserveMs = 2_000;

/** One instance of a stage: pull -> decode -> handle -> checkpoint -> publish -> acknowledge. */
export class Worker<T extends Item> {
  readonly stats = newStats();
  readonly #o: WorkerOptions<T>;
  readonly #abort = new AbortController();
  readonly #gate: OutageGate;
  readonly #steps: Steps<T>;
  readonly #lanes: Lanes;
  /** One for each lane that is read. */
  readonly #pullers: ReadonlyMap<Lane, Puller>;
  readonly #movers: readonly Mover[];
  /** Everything delivered and not yet let go. */
  readonly #hand = new Set<Delivery>();
  readonly #suspects: Delivery[] = [];
  readonly #beat: NodeJS.Timeout;
  #linger: NodeJS.Timeout | undefined;
  /** Batches in work. */
  readonly #running: Record<Lane, number> = { live: 0, bulk: 0 };
  /** Those of them that could be blamed for the death of this process: one that only waits to publish could not. */
  readonly #working = new Set<Delivery[]>();
  #alone = false;
  /** A suspect was handled: the lanes come first, once. */
  #lanesFirst = false;
  #draining = false;
  #idle: (() => void) | undefined;

  constructor(options: WorkerOptions<T>) {
    this.#o = options;
    const { nc, names, stage, settings, log } = options;
    const quiet = new Quiet(options, this.#abort.signal);
    this.#lanes = new Lanes({ ...stage, bulkLeads: () => quiet.bulkLeads });
    this.#gate = new OutageGate({
      ...settings,
      signal: this.#abort.signal,
      probe: options.probe,
      onChange: (state) => {
        options.meter.outage(state);
        const about = { stage: stage.name, ...state, reason: state?.message };
        log("warn", state ? "outage: the stage waits" : "the outage is over", about);
        options.onChange();
      },
    });
    this.#steps = new Steps(options, this.#gate, this.stats, this.#abort.signal);
    const most = { live: stage.batchLeads, bulk: quiet.mostLeads };
    const leadsAhead = (lane: Lane) => most[lane] * (stage.concurrency + 1);
    const puller = (lane: Lane) =>
      new Puller(nc, {
        stream: names.mailbox(stage.name).stream,
        consumer: names.mailbox(stage.name).consumer(lane),
        leadsAhead: leadsAhead(lane),
        askForLeads: Math.max(most[lane], leadsAhead(lane) / 8),
        leadsPerEnvelope: lane === "live" ? 1 : maxLeads,
        watchdogMs: settings.watchdogMs,
        ensure: () => ensureLane(nc, names, stage, lane),
        onDelivery: (delivery) => this.#receive(lane, delivery),
        log,
      });
    const read = settings.lanes === "both" ? laneNames : [settings.lanes];
    this.#pullers = new Map(read.map((lane) => [lane, puller(lane)]));
    const mover = (lane: Lane) =>
      new Mover({
        nc,
        names,
        stage: stage.name,
        lane,
        publisher: options.publisher,
        signal: this.#abort.signal,
        ackWaitMs: stage.ackWaitMs,
        watchdogMs: settings.watchdogMs,
        ensure: () => ensureDue(nc, names, stage, lane),
        log,
      });
    this.#movers = read.map(mover);
    this.#beat = setInterval(() => this.#keepAlive(), stage.ackWaitMs / 4);
    for (const each of this.#movers) each.start();
  }

  get outage(): OutageState | null {
    return this.#gate.state;
  }

  /** Leads in hand: buffered and in work. */
  get inHand(): number {
    let leads = 0;
    for (const delivery of this.#hand) leads += delivery.count;
    return leads;
  }

  /** Places that batches take now. */
  get #places(): number {
    return this.#running.live + this.#running.bulk;
  }

  resume(): void {
    if (!this.#draining) for (const puller of this.#pullers.values()) puller.start();
  }

  /** Takes no more, from now on; what is in hand is finished. */
  async pause(): Promise<void> {
    await Promise.all(Array.from(this.#pullers.values(), (puller) => puller.cancel()));
  }

  reconnected(): void {
    for (const puller of this.#pullers.values()) puller.reconnected();
    for (const mover of this.#movers) mover.reconnected();
  }

  /** Stops pulling, finishes what is in hand, hands back what the deadline (or an outage) leaves. Never rejects. */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    const stopPulling = () => Promise.all(Array.from(this.#pullers.values(), (puller) => puller.stop()));
    const deadline = sleep(Math.max(0, deadlineMs - drainReserveMs), this.#abort.signal).catch(() => {});
    const finished = (async () => {
      await Promise.all([stopPulling(), ...this.#movers.map((mover) => mover.stop())]);
      this.#pump();
      while (this.#hand.size > 0 || this.#movers.some((mover) => mover.inHand > 0)) {
        await Promise.race([new Promise<void>((resolve) => (this.#idle = resolve)), sleep(50)]);
        if (this.#gate.state || this.#abort.signal.aborted) return;
      }
    })();
    await Promise.race([deadline, finished]);
    this.#abort.abort(new Stopped("the stage stops"));
    clearInterval(this.#beat);
    clearTimeout(this.#linger);
    await stopPulling();
    this.#handBack(this.#lanes.clear());
    this.#handBack(this.#suspects.splice(0));
    // Batches notice the abort at their next step and hand back themselves; those of a handler that does not return are
    // handed back here. Should it return after all: what it did is done again elsewhere, and harmless.
    for (let waited = 0; this.#hand.size > 0 && waited < drainReserveMs / 2; waited += 20) await sleep(20);
    this.#handBack([...this.#hand]);
    if (!this.#o.nc.isClosed()) await Promise.race([this.#o.nc.flush().catch(() => {}), sleep(500)]);
  }

  #receive(lane: Lane, delivery: Delivery): void {
    this.stats.delivered++;
    if (delivery.deliveries > 1) this.stats.redelivered++;
    this.#hand.add(delivery);
    if (delivery.deliveries > suspectAfter || delivery.msg.headers?.has(headers.suspect)) this.#suspects.push(delivery);
    else this.#lanes.push(lane, delivery);
    this.#pump();
  }

  /** Starts what can start. */
  #pump(): void {
    if (this.#alone || this.#abort.signal.aborted) return;
    if (this.#suspects.length === 0 || this.#lanesFirst) this.#fill();
    this.#lanesFirst = false;
    if (this.#suspects.length > 0 && this.#working.size === 0) void this.#isolate(this.#suspects.shift()!);
  }

  #fill(): void {
    for (;;) {
      const next = this.#lanes.next(Date.now(), this.#running, this.#draining);
      if (next === null) return;
      if ("waitMs" in next) {
        clearTimeout(this.#linger);
        this.#linger = setTimeout(() => this.#pump(), next.waitMs);
        return;
      }
      void this.#run(next.lane, next.deliveries);
    }
  }

  async #run(lane: Lane, deliveries: Delivery[]): Promise<void> {
    const { meter, stage, tracing } = this.#o;
    this.#running[lane]++;
    this.#working.add(deliveries);
    meter.taken(lane, deliveries, this.#places);
    let completed = 0;
    try {
      const { times, timed } = stepClock();
      const entries = await timed("decode", this.#steps.decode(deliveries));
      const dead = await new Trail(tracing, stage.name, entries).run(async () => {
        await timed("handle", this.#steps.handle(entries));
        await timed("checkpoint", this.#steps.checkpoint(entries));
        this.#working.delete(deliveries);
        if (this.#suspects.length > 0) this.#pump();
        return timed("publish", this.#steps.publish(entries));
      });
      for (const delivery of deliveries) this.#letGo(delivery, ackBody.ack);
      completed = entries.length;
      meter.done(lane, entries, dead, times);
    } catch (error) {
      await this.#giveUp(deliveries, error);
    } finally {
      this.#working.delete(deliveries);
      this.#running[lane]--;
      meter.ended(this.#places, completed);
      this.#pump();
      if (this.#hand.size === 0) this.#idle?.();
    }
  }

  /** Hands back what could not be finished. Not at once, and in its place: a fault of the mesh itself makes no hot loop. */
  async #giveUp(deliveries: Delivery[], error: unknown): Promise<void> {
    const { stage, log } = this.#o;
    if (!(error instanceof Stopped)) {
      log("error", "a batch could not be finished: it is handed back", { stage: stage.name, error });
      await sleep(1_000, this.#abort.signal).catch(() => {});
    }
    this.#handBack(deliveries);
  }

  /** An envelope that may have killed its worker: cut into single leads, then handled with nothing beside it. */
  async #isolate(delivery: Delivery): Promise<void> {
    this.#alone = true;
    try {
      await this.#handleAlone(delivery);
    } catch (error) {
      await this.#giveUp([delivery], error);
    } finally {
      this.#alone = false;
      this.#lanesFirst = true;
      this.#pump();
      if (this.#hand.size === 0) this.#idle?.();
    }
  }

  async #handleAlone(delivery: Delivery): Promise<void> {
    const { stage, names, nc, log } = this.#o;
    const lane = this.#steps.laneOf(delivery);
    let content: { route: Route; items: EnvelopeItem<T>[] };
    try {
      content = unpack<T>(delivery.msg.data, delivery.msg.headers);
    } catch {
      return this.#run(lane, [delivery]);
    }
    const { route, items } = content;
    if (items.length > 1) {
      await cutIntoSingles(this.#o, content, delivery.seq, this.#steps.patient);
      this.#letGo(delivery, ackBody.ack);
      return;
    }
    const deaths = await Deaths.of(nc, names, `${stage.name}.${delivery.seq}`);
    const { lead, tries } = items[0]!;
    log("warn", "handling a suspect alone", {
      stage: stage.name,
      leadId: lead.leadId,
      tenant: route.tenant,
      lane,
      requestId: route.requestId,
      deliveries: delivery.deliveries,
      deaths: deaths.count,
    });
    if (deaths.count >= deadAfter) {
      const work: Work<T> = { ...route, lead, attempt: (tries?.count ?? 0) + 1, redelivered: true };
      await this.#steps.publish([{ work, tries, route, delivery, outcome: retry(crashLoop(deaths.count)) }]);
      this.#letGo(delivery, ackBody.ack);
    } else {
      await deaths.add();
      await this.#run(lane, [delivery]);
    }
    await deaths.forget();
  }

  #letGo(delivery: Delivery, body: Uint8Array): void {
    if (!this.#hand.delete(delivery)) return;
    if (!this.#o.nc.isClosed()) delivery.msg.respond(body);
    this.#pullers.get(this.#steps.laneOf(delivery))!.done(delivery);
  }

  #handBack(deliveries: Delivery[]): void {
    for (const delivery of deliveries) this.#letGo(delivery, ackBody.nak);
  }

  #keepAlive(): void {
    const now = Date.now();
    for (const delivery of this.#hand) {
      if (now - delivery.touchedAt < this.#o.stage.ackWaitMs / 4 || this.#o.nc.isClosed()) continue;
      delivery.touchedAt = now;
      delivery.msg.respond(ackBody.working);
    }
  }
}
