import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";
import type { Service } from "moleculer";
import { errorTypeOf } from "../../mixins/http/problem.ts";
import { wordsOf } from "../../mixins/log.ts";
import type { Fate } from "../../mixins/mail.ts";
import { type ClaimOptions, claimDue, type Handed, markSending } from "./claims.sql.ts";
import { forgetOld } from "./events.sql.ts";
import { putOffUnpaid, type Result, settleFates } from "./fates.sql.ts";
import { releaseClaims, renewLeases, sweepLeases, takeBack, type Unanswered } from "./leases.sql.ts";

export interface SenderOptions extends Omit<ClaimOptions, "holder" | "hands"> {
  knex: Knex;
  logger: Service["logger"];
  /** E-mails in hand at once. */
  connections: number;
  /** How often due e-mails are looked for when there were none, ms. */
  pollMs: number;
  /** First and longest wait while the other side, or the database, is away, ms. */
  probeMinMs: number;
  probeMaxMs: number;
  /**
   * Writes down who unsubscribed while the database was away. False, or an error: some of them are not on the list yet,
   * and nothing is begun.
   */
  listed(): Promise<boolean>;
  /** Hands one over, once. */
  send(mail: Handed): Promise<Fate>;
}

/** What `sender.state` says. */
export interface SenderState {
  state: "sending" | "waiting" | "stopped";
  /** E-mails in hand. */
  inHand: number;
  /** Why it waits. */
  reason?: string;
}

/** How often what is old is swept out, ms. */
const forgetEveryMs = 3_600_000;

/** Sends what is due in the outbox of one database, as many at once as it has connections. Any number of them may run. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #claimer = randomUUID();
  /** What is being handed over or written down, and whose e-mail it is. */
  readonly #inHand = new Map<Promise<void>, Handed>();
  readonly #stopping = new AbortController();
  #results: Result[] = [];
  #settling: Promise<void> | undefined;
  /** E-mails that may be its own, and that it does not know: nobody hands them over. */
  #unanswered: Unanswered | undefined;
  /** Tries that nobody took, or of which nobody knows, and faults of the database, since an e-mail was last answered. */
  #failures = 0;
  #reason: string | undefined;
  #forgotAt = 0;
  #loop: Promise<unknown> | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  get state(): SenderState {
    const inHand = this.#inHand.size;
    if (this.#stopping.signal.aborted) return { state: "stopped", inHand };
    return this.#reason === undefined
      ? { state: "sending", inHand }
      : { state: "waiting", inHand, reason: this.#reason };
  }

  start(): void {
    this.#loop ??= Promise.all([this.#run(), this.#keep()]);
  }

  /** Begins nothing more; resolves when what is in hand has ended and is written down. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await Promise.all(this.#inHand.keys());
    await this.#settling;
    const { knex } = this.#options;
    if (this.#unanswered) await takeBack(knex, this.#unanswered).catch(() => {});
    else if (this.#loop) await releaseClaims(knex, this.#claimer).catch(() => {});
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const restMs = await this.#round();
        if (this.#failures === 0) this.#reason = undefined;
        if (restMs > 0) await this.#rest(restMs);
      } catch (error) {
        this.#wait(error as Error);
        await this.#rest(this.#backoffMs);
      }
    }
  }

  /** Claims and hands over as many as there are free hands. Resolves to how long it is to rest then, ms. */
  async #round(): Promise<number> {
    const { knex, connections, pollMs, ...options } = this.#options;
    if (this.#unanswered) await takeBack(knex, this.#unanswered);
    this.#unanswered = undefined;
    // While the other side does not answer one e-mail looks whether it does again.
    const hands = this.#failures > 0 ? Math.min(1, connections - this.#inHand.size) : connections - this.#inHand.size;
    if (hands <= 0) {
      await Promise.race(this.#inHand.keys());
      return 0;
    }
    if (!(await this.#options.listed())) return pollMs;
    const { claimed, looked, tenant } = await claimDue(knex, { ...options, holder: this.#claimer, hands });
    // Nothing was tried: others may be due, whatever the other side does.
    if (claimed === 0 || tenant === undefined) return looked ? 0 : pollMs;
    const call = { tenant, claimer: this.#claimer, holder: randomUUID() };
    this.#unanswered = call;
    const mails = await markSending(knex, call.claimer, options.leaseMs, call.holder);
    this.#unanswered = undefined;
    for (const mail of mails) this.#begin(mail);
    return mails.length > 0 && this.#failures > 0 ? this.#backoffMs : 0;
  }

  #begin(mail: Handed): void {
    const handing = this.#options
      .send(mail)
      .catch((error: Error): Fate => ({ kind: "unknown", reason: error.message.slice(0, 200) }))
      .then((fate) => {
        this.#note(fate);
        this.#results.push({ mail, fate });
        this.#settling ??= this.#settle().finally(() => {
          this.#settling = undefined;
        });
        return this.#settling;
      })
      .finally(() => this.#inHand.delete(handing));
    this.#inHand.set(handing, mail);
  }

  /** Writes fates down, all that have come since the last time in one go, however long the database is away. */
  async #settle(): Promise<void> {
    for (let failures = 0; this.#results.length > 0; ) {
      const results = this.#results;
      this.#results = [];
      try {
        await settleFates(this.#options.knex, results);
        failures = 0;
        await putOffUnpaid(this.#options.knex, results).catch((error) =>
          this.#options.logger.debug(`e-mails were not put off, and are refused one by one: ${wordsOf(error)}`),
        );
      } catch (error) {
        this.#results.unshift(...results);
        failures++;
        if (errorTypeOf(error) !== "OUTAGE") this.#options.logger.error("fates cannot be written", error);
        // A process that must leave leaves them to the next one, as unknown.
        if (this.#stopped && failures > 3) return;
        await delay(Math.min(this.#options.probeMinMs * 2 ** (failures - 1), this.#options.probeMaxMs));
      }
    }
  }

  #note(fate: Fate): void {
    switch (fate.kind) {
      case "sent":
      case "refused":
        this.#failures = 0;
        return;
      case "unreached":
      case "unknown":
        if (this.#failures++ === 0) this.#options.logger.warn(`e-mails wait: ${fate.reason}`);
        this.#reason = fate.reason;
        return;
      case "unpaid":
        return; // It says nothing of the other side.
      default:
        fate satisfies never;
    }
  }

  #wait(error: Error): void {
    if (errorTypeOf(error) !== "OUTAGE") this.#options.logger.error("the outbox cannot be read", error);
    else if (this.#failures === 0) this.#options.logger.warn(`e-mails wait: ${error.message}`);
    this.#failures++;
    this.#reason = error.message;
  }

  /** Renews what is in hand and sweeps what others let fall. */
  async #keep(): Promise<void> {
    const { knex, leaseMs, logger } = this.#options;
    while (!this.#stopped || this.#inHand.size > 0) {
      try {
        const holders = new Set([...this.#inHand.values()].map(({ holder }) => holder));
        if (holders.size > 0) await renewLeases(knex, [...holders], leaseMs);
        const { unknown } = await sweepLeases(knex);
        if (unknown > 0)
          logger.warn(`${unknown} e-mails were in the hands of a sender that died: their fate is unknown`);
        if (Date.now() - this.#forgotAt > forgetEveryMs) {
          this.#forgotAt = Date.now();
          await forgetOld(knex);
        }
      } catch (error) {
        logger.debug(`leases were not renewed: ${wordsOf(error)}`);
      }
      if (this.#stopped) await delay(Math.min(leaseMs / 3, 50));
      else await this.#rest(leaseMs / 3);
    }
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }
  get #backoffMs(): number {
    return Math.min(this.#options.probeMinMs * 2 ** (this.#failures - 1), this.#options.probeMaxMs);
  }
  async #rest(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
