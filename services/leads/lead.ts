/**
 * The lead: the one type that all stages share. It travels whole in the envelopes and is written to the record at
 * checkpoints. Plain JSON: times are milliseconds since 1970, money is micro-USD, unknown facts are absent.
 */

/** How far a source is believed when two disagree about a field (higher wins). */
export const trustLevels = { manual: 100, verified: 90, google: 80, yelp: 70, scraped: 60, imported: 50 } as const;
export type Trust = keyof typeof trustLevels;

/**
 * How much is done for a lead. 1: its site is read and measured. 2: also a picture of it, and a mock-up by the language
 * model. 3: also what SEMrush says of its domain.
 */
export const tiers = [1, 2, 3] as const;
export type Tier = (typeof tiers)[number];
export const lowestTier: Tier = 1;
export const isTier = (value: unknown): value is Tier => tiers.some((tier) => tier === value);

export interface Address {
  street?: string;
  unit?: string;
  city?: string;
  /** Two capital letters in the US and Canada, else the name as given. */
  state?: string;
  /** Five digits in the US (ZIP+4 is cut), else as given. */
  zip?: string;
  /** ISO 3166-1 alpha-2. */
  country?: string;
}

/** What the business is, as its sources say; normalised once, at the edge. */
export interface LeadFields {
  name: string;
  email?: string;
  /** The address is a role's (info@, sales@), not a person's. */
  emailRole?: boolean;
  /** The address is at a disposable mail service. */
  emailDisposable?: boolean;
  /** E.164. */
  phone?: string;
  /** http or https URL. */
  website?: string;
  /** Registrable domain of `website` (eTLD+1), or its literal host. */
  domain?: string;
  address?: Address;
  vertical?: string;
  categories?: string[];
  reviewCount?: number;
  rating?: number;
  employeeCount?: number;
  /** USD a year. */
  revenue?: number;
  foundedYear?: number;
  socialFollowers?: number;
  multipleLocations?: boolean;
}

/** An optional field that was given, but was no such thing, and was dropped. */
export interface Warning {
  field: string;
  message: string;
}

export interface Technology {
  name: string;
  version?: string;
  categories?: string[];
}

/** What the lead's own web site says. */
export interface SiteFacts {
  /** `not_fetched`: fetching is off, or the lead has no site. */
  status: "ok" | "unreachable" | "disallowed" | "not_fetched";
  /** Why it is not `ok`: `timeout`, `dns`, `refused`, `tls`, `too_large`, `redirects`, `blocked_address`, `http_404`, `robots`, `off`, `no_website`… */
  reason?: string;
  finalUrl?: string;
  httpStatus?: number;
  /** Milliseconds since 1970. */
  fetchedAt?: number;
  bytes?: number;
  title?: string;
  description?: string;
  /** BCP 47, as the page says. */
  language?: string;
  emails?: string[];
  phones?: string[];
  /** network -> profile URL */
  social?: Record<string, string>;
  contactForm?: boolean;
  viewport?: boolean;
  technologies?: Technology[];
  pageCount?: number;
}

/** What PageSpeed measured, on a mobile device. What it did not measure is absent. */
export interface PageSpeedFacts {
  /** `off`: no key, or sites are not fetched. `not_measured`: there is nothing to measure, or no budget. `failed`: PageSpeed could not. */
  status?: "ok" | "failed" | "not_measured" | "off";
  /** Why it is not `ok`: `no_key`, `fetch_off`, the site's reason, `over_budget`, `later`, or Lighthouse's error code. */
  reason?: string;
  /** Milliseconds since 1970. */
  measuredAt?: number;
  /** 0 to 100 */
  performance?: number;
  accessibility?: number;
  bestPractices?: number;
  seo?: number;
  /** First contentful paint, largest contentful paint, total blocking time, speed index: milliseconds. */
  fcpMs?: number;
  lcpMs?: number;
  tbtMs?: number;
  siMs?: number;
  /** Cumulative layout shift, no unit. */
  cls?: number;
  viewport?: boolean;
  /** 0 to 1 */
  tapTargets?: number;
}

/** What SEMrush knows of the lead's domain. What it does not tell is absent. */
export interface SemrushFacts {
  /** `off`: no key, or sites are not fetched. `not_asked`: there is no domain of the lead's own, or no budget. `failed`: SEMrush refused. */
  status?: "ok" | "failed" | "not_asked" | "off";
  /** Why it is not `ok`. */
  reason?: string;
  /** Milliseconds since 1970. */
  askedAt?: number;
  /** Place among all domains by visits from searches; 1 has the most. */
  rank?: number;
  /** Searches that show the domain among their first hundred results, and visits a month that come of them. */
  organicKeywords?: number;
  organicTraffic?: number;
  /** What these visits would cost as advertisements, USD a month. */
  organicCostUsd?: number;
  /** Searches that it buys advertisements for. */
  adwordsKeywords?: number;
  /** Authority score, 0 to 100. */
  score?: number;
  /** Links to it, and domains that they stand on. */
  backlinks?: number;
  referringDomains?: number;
  /** Errors that a site audit counted: not told by what is asked, for facts that come another way. */
  errors?: number;
}

/** The picture of the lead's web site, in the object store under `screenshotKey(tenant, leadId)`. */
export interface ScreenshotFacts {
  /** `off`: no key, or sites are not fetched. `not_taken`: there is no site to be seen, or no budget. `failed`: the site, or the API's word. */
  status: "ok" | "failed" | "not_taken" | "off";
  /** Why it is not `ok`. */
  reason?: string;
  /** When it was taken, milliseconds since 1970. */
  at?: number;
}

/** Who drafted the mock-up. */
export interface MockupFacts {
  by: "template" | "llm";
  /**
   * Why it was the template: `tier_1`, `no_key`, `over_budget`, `later` (a language model that answers no more today),
   * `refused`, `unreadable` (it answered in a form that is not known), or `bad_answer` (with what was wrong in it).
   */
  reason?: string;
  /** The model that answered last, as it names itself. */
  model?: string;
  /** What its answers did cost, micro-USD; those that were no good, too. */
  costMicro?: number;
}

export interface Facts {
  site?: SiteFacts;
  pagespeed?: PageSpeedFacts;
  /** From tier 2 on. */
  screenshot?: ScreenshotFacts;
  /** From tier 3 on. */
  semrush?: SemrushFacts;
  mockup?: MockupFacts;
}

export interface Score {
  value: number;
  /** Hash of the rules that gave it. */
  version: string;
  /** The rules and multipliers that fired, in order. */
  fired: { name: string; points?: number; multiplier?: number }[];
}

export type SectionLook = "cards" | "steps" | "about";

/** A one-page site, drafted; the page is rendered from it when it is read. */
export interface MockupDraft {
  /** Which template renders it. */
  template: string;
  headline: string;
  tagline: string;
  /** `look`: how its items are shown; absent in drafts of the first kind, where it goes by the section's place. */
  sections: { title: string; body: string; items?: string[]; look?: SectionLook }[];
  callToAction: string;
  palette: string;
  /** What the present site lacks, from the rules that fired. */
  improvements: string[];
}

/** One stage passed. */
export interface TimelineEntry {
  stage: string;
  /** When the stage's verdict fell, milliseconds since 1970. */
  at: number;
  /** Milliseconds in the mailbox before a batch took it. */
  waitedMs: number;
  /** Milliseconds its batch took. */
  workedMs: number;
  outcome: string;
  /** Which try succeeded, when not the first. */
  attempt?: number;
}

export interface Lead {
  /** UUID: v5 of tenant and source key where there is one, else v7. */
  leadId: string;
  tenant: string;
  /** When this telling of the lead was accepted, ms since 1970: a later telling of the same source key has a larger one. */
  revision: number;
  source: string;
  sourceId?: string;
  trust: Trust;
  /** Absent while it was not told and no stage has asked for it yet: services/leads/tiers.ts resolves it. */
  tier?: Tier;
  fields: LeadFields;
  warnings?: Warning[];
  facts: Facts;
  score?: Score;
  mockup?: MockupDraft;
  timeline: TimelineEntry[];
}

/**
 * Has dedupe let a telling through? Nothing compares it with others after that. What a stranger wrote may be anything.
 */
export const isPastDedupe = (timeline: readonly unknown[]): boolean =>
  timeline.some((entry) => (entry as Partial<TimelineEntry> | null)?.stage === "dedupe");

/** The reason of a dead lead whose letter was put back, until the record hears of it again. */
export const redriven = "redriven";

/** States of a lead in the record; the terms of conservation. */
export const leadStates = [
  "queued",
  "in_progress",
  "completed",
  "merged",
  "rejected",
  "dead",
  "discarded",
  "erased",
] as const;
export type LeadState = (typeof leadStates)[number];
