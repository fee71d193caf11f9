import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Knex } from "knex";
import type { Settings } from "../../config/settings.ts";
import { compare } from "../../services/dedupe/compare.ts";
import { keysOf } from "../../services/dedupe/keys.ts";
import { profileOf } from "../../services/dedupe/profile.ts";
import { verdictOf } from "../../services/dedupe/verdict.ts";
import { mailOf } from "../../services/email/mail-of.ts";
import { addressHash, recipientOf } from "../../services/email/recipient.ts";
import { chooseEmail } from "../../services/enrich/choose-email.ts";
import { normalise } from "../../services/intake/normalise.ts";
import type { Lead, PageSpeedFacts, SiteFacts } from "../../services/leads/lead.ts";
import { draft } from "../../services/mockup/draft.ts";
import { siteRules } from "../../services/mockup/site-rules.ts";
import { factsOf, type PageSpeedAnswer, path, query } from "../../services/pagespeed/read.ts";
import { compileRules } from "../../services/score/compile.ts";
import { isModernSite } from "../../services/score/modern-site.ts";
import { siteOf } from "../../services/site/site-of.ts";
import { Visitor } from "../../services/site/visitor.ts";
import { readLead, sharers, writeLead, writeMail } from "./batch.sql.ts";

const tenant = "batch";

/** A script takes a lead from the table and puts it back. */
type Script = (lead: Lead) => Promise<void>;

/** The old way: six scripts, each of which does one lead's work and knows nothing but the table. */
export class Scripts {
  readonly #knex: Knex;
  readonly #settings: Settings;
  readonly #visitor: Visitor;
  readonly #rules: ReturnType<typeof compileRules>;
  readonly #texts: ReadonlyMap<string, string>;

  constructor(knex: Knex, settings: Settings) {
    this.#knex = knex;
    this.#settings = settings;
    this.#visitor = new Visitor(settings);
    const file = join(import.meta.dirname, "..", "..", settings.scoringRules);
    const text = readFileSync(file, "utf8");
    this.#rules = compileRules(text, file);
    this.#texts = siteRules(text);
  }

  /** Takes one lead through all six, one after another. False for a row that is no lead. */
  async pass(raw: object): Promise<boolean> {
    const leadId = await this.#source(raw);
    if (leadId === undefined) return false;
    const scripts: Script[] = [this.#enrich, this.#dedupe, this.#score, this.#mockup, this.#email];
    for (const script of scripts) {
      const lead = await readLead(this.#knex, leadId);
      if (!lead) break;
      await script.call(this, lead);
    }
    return true;
  }

  close(): Promise<void> {
    return this.#visitor.close();
  }

  async #source(raw: object): Promise<string | undefined> {
    const read = normalise(raw, {
      ...{ tenant, source: "list", trust: "imported", defaultRegion: this.#settings.defaultRegion },
      now: Date.now(),
      newId: randomUUID,
    });
    if ("faults" in read) return undefined;
    await writeLead(this.#knex, read.lead);
    return read.lead.leadId;
  }

  async #enrich(lead: Lead): Promise<void> {
    const site = await this.#siteOf(lead);
    const pagespeed = await this.#speedOf(lead, site);
    const fields = { ...lead.fields, ...chooseEmail(lead.fields, site) };
    await writeLead(this.#knex, { ...lead, fields, facts: { ...lead.facts, site, pagespeed } });
  }

  async #siteOf({ fields: { website } }: Lead): Promise<SiteFacts> {
    if (website === undefined) return { status: "not_fetched", reason: "no_website" };
    const site = siteOf(website);
    return site ? this.#visitor.visit(site) : { status: "unreachable", reason: "bad_url" };
  }

  async #speedOf({ fields: { website } }: Lead, site: SiteFacts): Promise<PageSpeedFacts> {
    if (site.status !== "ok") return { status: "not_measured", reason: site.reason ?? site.status };
    const { pagespeedUrl, pagespeedKey } = this.#settings;
    const url = new URL(path, pagespeedUrl);
    for (const [name, value] of query(website!, pagespeedKey)) url.searchParams.append(name, value);
    return factsOf((await (await fetch(url)).json()) as PageSpeedAnswer);
  }

  async #dedupe(lead: Lead): Promise<void> {
    const profile = profileOf(lead, lead.fields);
    const keys = keysOf(tenant, profile).map(({ value }) => value);
    const others = await sharers(this.#knex, lead.leadId, keys);
    const isDouble = others.some((other) => verdictOf(compare(profile, profileOf(other, other.fields))) === "same");
    await writeLead(this.#knex, lead, isDouble ? "merged" : "in_progress");
  }

  async #score(told: Lead): Promise<void> {
    const lead = { ...told, score: this.#rules.score(told) };
    await writeLead(this.#knex, lead, isModernSite(lead) ? "completed" : "in_progress");
  }

  async #mockup(lead: Lead): Promise<void> {
    const wanted = (lead.score?.value ?? 0) >= this.#settings.auditThreshold;
    await writeLead(this.#knex, wanted ? { ...lead, mockup: draft(lead, this.#texts) } : lead);
  }

  async #email(lead: Lead): Promise<void> {
    const to = recipientOf(lead);
    if (to !== undefined && (lead.score?.value ?? 0) >= this.#settings.emailThreshold)
      await writeMail(this.#knex, lead.leadId, addressHash(to), mailOf(this.#settings, lead, to, Date.now()));
    await writeLead(this.#knex, lead, "completed");
  }
}
