import { setTimeout as delay } from "node:timers/promises";
import type { Settings } from "../../config/settings.ts";
import { outage } from "../../mixins/errors.ts";
import type { SiteFacts } from "../leads/lead.ts";
import { askControl } from "./control.ts";
import { forUs, isAllowed, mostTelling, robotName, triesNext, unreachable } from "./facts.ts";
import { FetchError, Fetcher, failureOf } from "./fetch.ts";
import { readPage } from "./read-page.ts";
import { type Resolve, resolver } from "./resolve.ts";
import { candidatesOf, type Site } from "./site-of.ts";
import { loadFingerprints } from "./technologies.ts";
import { type Suspicion, suspicionOf, WayOut } from "./way-out.ts";

/** What tests put in the place of the outside world. */
export interface Outside {
  resolve?: Resolve;
  /** The control question: rejects when our own way out is down. */
  control?: (kind: Suspicion, answeredBefore: readonly string[]) => Promise<void>;
  ports?: readonly number[];
  allowed?: (address: string) => boolean;
  /** How long a failure that may be ours waits for others alike, ms. */
  settleMs?: number;
}

const robotsKeptMs = 3_600_000;
const robotsHosts = 2_000;
/** Of all that is kept of them, characters. */
const robotsLength = 16_000_000;

/** Reads sites: one visit is robots.txt, the front page, and what they tell; it knows our own outages from the sites'. */
export class Visitor {
  readonly #settings: Settings;
  readonly #fetcher: Fetcher;
  readonly #outside: Required<Pick<Outside, "control" | "settleMs">>;
  readonly #wayOut = new WayOut();
  /** origin -> its robots.txt; the oldest goes first */
  readonly #robots = new Map<string, { text: string | null; until: number }>();
  #robotsLength = 0;
  #answeredBefore: string[] = [];
  #downBy: Suspicion = "dns";
  #asking: Promise<boolean> | undefined;

  constructor(settings: Settings, { resolve, control, settleMs, ...rules }: Outside = {}) {
    this.#settings = settings;
    this.#outside = { control: control ?? askControl, settleMs: settleMs ?? 2_000 };
    this.#fetcher = new Fetcher({
      userAgent: `${robotName}/1.0 (+${settings.fetchContact || "no contact given"})`,
      resolve: resolve ?? resolver(2_000),
      ...rules,
      ...(settings.fetch === "generator" ? { generatorUrl: settings.generatorUrl } : {}),
    });
  }

  close(): Promise<void> {
    return this.#fetcher.close();
  }

  /** The facts of a site. Throws `OUTAGE` (dependency `web`) when it is our own way out that is down. */
  async visit(site: Site): Promise<SiteFacts> {
    const signal = AbortSignal.timeout(this.#settings.fetchTimeoutMs);
    const played = this.#settings.fetch === "generator";
    const failures: FetchError[] = [];
    for (const address of played ? [`http://${site.host}${site.path}`] : candidatesOf(site)) {
      try {
        const page = await this.#fetcher.page(address, signal, (url) => this.#mayFetch(url, signal));
        this.#reached(site.host);
        return readPage(page, loadFingerprints(), this.#settings.defaultRegion, Date.now());
      } catch (error) {
        const failure = failureOf(error, signal);
        // Not the network's fault, nor the site's: ours.
        if (!(error instanceof FetchError)) throw error;
        failures.push(failure);
        if (!triesNext(failure)) break;
      }
    }
    const failure = mostTelling(failures);
    if (this.#settings.fetch === "web") await this.#judge(site, failures);
    return unreachable(failure, Date.now());
  }

  /** Throws while our own way out is down; asks once more whether it is. */
  async ready(): Promise<void> {
    if (this.#settings.fetch !== "web" || this.#wayOut.state(Date.now()) !== "down") return;
    if (!(await this.#wayOutAnswers(this.#downBy))) throw outage("web");
    this.#wayOut.reached();
  }

  /** Returns when the failures are the site's own; throws the outage when they are ours. */
  async #judge(site: Site, failures: readonly FetchError[]): Promise<void> {
    const kinds = failures.map((f) => suspicionOf(f.code));
    if (
      failures.some(
        (f, i) => kinds[i] === null && f.reason !== "dns" && f.reason !== "blocked_address" && f.reason !== "timeout",
      )
    )
      return this.#reached(site.host);
    const kind = kinds.find((k) => k !== null);
    if (!kind) {
      if (failures.some((f) => f.code === "ENOTFOUND")) this.#wayOut.resolved();
      return;
    }
    if (this.#wayOut.failed(kind, site.domain, Date.now()) === "up") {
      // Others that fail for the same reason are on their way: no verdict before they had time to arrive.
      await delay(this.#outside.settleMs);
    }
    const state = this.#wayOut.state(Date.now());
    if (state === "suspect" || (state === "up" && kind === "dns" && this.#wayOut.isOpen(kind, site.domain))) {
      if (await this.#wayOutAnswers(kind)) this.#wayOut.reached();
      else if (this.#wayOut.controlFailed(kind, Date.now()) === "down") this.#downBy = kind;
    }
    if (this.#wayOut.state(Date.now()) === "down") throw outage("web", failures[0]);
  }

  /** One question at a time, whoever asks. */
  #wayOutAnswers(kind: Suspicion): Promise<boolean> {
    this.#asking ??= this.#outside
      .control(kind, this.#answeredBefore)
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  #reached(host: string): void {
    this.#wayOut.reached();
    if (!this.#answeredBefore.includes(host)) this.#answeredBefore = [host, ...this.#answeredBefore].slice(0, 4);
  }

  async #mayFetch(url: URL, signal: AbortSignal): Promise<void> {
    const robots = await this.#robotsOf(url.origin, signal);
    if (!isAllowed(robots, url.href)) throw new FetchError(robots === null ? "robots_unavailable" : "robots");
  }

  async #robotsOf(origin: string, signal: AbortSignal): Promise<string | null> {
    const kept = this.#robots.get(origin);
    if (kept && kept.until > Date.now()) return kept.text;
    let text: string | null;
    try {
      const told = await this.#fetcher.robots(origin, signal);
      text = told === null ? null : forUs(told);
    } catch (error) {
      const { reason } = failureOf(error, signal);
      // A robots.txt that leads nowhere is none (RFC 9309 section 2.3.1.2); a host that does not answer is that.
      if (!["redirects", "blocked_address", "bad_url", "off", "bad_response"].includes(reason)) throw error;
      text = "";
    }
    this.#forget(origin);
    this.#robots.set(origin, { text, until: Date.now() + robotsKeptMs });
    this.#robotsLength += text?.length ?? 0;
    while (this.#robots.size > robotsHosts || this.#robotsLength > robotsLength)
      this.#forget(this.#robots.keys().next().value!);
    return text;
  }

  #forget(origin: string): void {
    this.#robotsLength -= this.#robots.get(origin)?.text?.length ?? 0;
    this.#robots.delete(origin);
  }
}
