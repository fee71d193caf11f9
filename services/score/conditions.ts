import { stateCode } from "../intake/places.ts";
import { fold, foldLabel, type Subject } from "./subject.ts";
import { compareParts, partsOf } from "./versions.ts";

/** A compiled condition. */
export type Test = (subject: Subject) => boolean;

/** What a condition takes in the file, by the name of its type. */
export interface Arguments {
  boolean: boolean;
  number: number;
  text: string;
  texts: readonly string[];
  /** Texts among which digits may stand unquoted: 02139 stays 02139. */
  places: readonly string[];
  range: { min: number; max: number };
  technologyVersion: { technology: string; version: string };
}
export type ArgumentType = keyof Arguments;

type Condition = { [T in ArgumentType]: { argument: T; compile(argument: Arguments[T]): Test } }[ArgumentType];

/**
 * Every condition but all_of, any_of and none_of. A fact that is not known makes a comparison false in both
 * directions; `has_email`, `has_phone_number` and `website_missing` ask about the lead as it stands, which is always
 * known. docs/scoring.md lists them; a test fails when one is missing there.
 */
export const conditions: Readonly<Record<string, Condition>> = {
  tech_stack_contains: { argument: "text", compile: (name) => usesAny([name]) },
  tech_stack_contains_any: { argument: "texts", compile: usesAny },
  tech_stack_version_lt: { argument: "technologyVersion", compile: (bound) => versionIs(bound, (order) => order < 0) },
  tech_stack_version_gt: { argument: "technologyVersion", compile: (bound) => versionIs(bound, (order) => order > 0) },

  performance_score_lt: below((s) => s.lead.facts.pagespeed?.performance),
  performance_score_gt: above((s) => s.lead.facts.pagespeed?.performance),
  performance_score_between: between((s) => s.lead.facts.pagespeed?.performance),
  lcp_gt: above((s) => s.lead.facts.pagespeed?.lcpMs),
  cls_gt: above((s) => s.lead.facts.pagespeed?.cls),
  seo_score_lt: below((s) => s.lead.facts.pagespeed?.seo),
  accessibility_score_lt: below((s) => s.lead.facts.pagespeed?.accessibility),
  semrush_errors_gt: above((s) => s.lead.facts.semrush?.errors),
  semrush_score_lt: below((s) => s.lead.facts.semrush?.score),
  semrush_traffic_lt: below((s) => s.lead.facts.semrush?.organicTraffic),
  semrush_keywords_lt: below((s) => s.lead.facts.semrush?.organicKeywords),

  category_contains_any: {
    argument: "texts",
    compile(texts) {
      const wanted = texts.map(foldLabel);
      return (s) => s.labels.some((label) => wanted.some((text) => label.includes(text)));
    },
  },
  vertical_in: {
    argument: "texts",
    compile(texts) {
      const wanted = new Set(texts.map(foldLabel));
      return (s) => s.vertical !== undefined && wanted.has(s.vertical);
    },
  },
  vertical_not_in: {
    argument: "texts",
    compile(texts) {
      const unwanted = new Set(texts.map(foldLabel));
      return (s) => s.vertical !== undefined && !unwanted.has(s.vertical);
    },
  },
  location_in: { argument: "places", compile: isInAny },
  location_not_in: { argument: "places", compile: isInNone },
  state_equals: {
    argument: "text",
    compile(text) {
      const state = foldState(text);
      return (s) => s.state === state;
    },
  },

  website_missing: is((s) => s.website === undefined),
  /** The site was asked and nobody would see one: of a site that refused us, or was not asked, it is not known. */
  website_unreachable: is((s) => {
    const { status, reason = "" } = s.lead.facts.site ?? {};
    if (status === "unreachable") return unanswered.test(reason) || undefined;
    return status === "ok" ? false : undefined;
  }),
  website_contains_any: {
    argument: "texts",
    compile(texts) {
      const wanted = texts.map(fold);
      return (s) => s.website !== undefined && wanted.some((text) => s.website!.includes(text));
    },
  },
  has_viewport: is((s) => s.lead.facts.pagespeed?.viewport ?? s.lead.facts.site?.viewport),
  has_social_media: is(({ lead: { facts } }) =>
    facts.site?.status === "ok" ? Object.keys(facts.site.social ?? {}).length > 0 : undefined,
  ),
  social_followers_gt: above((s) => s.lead.fields.socialFollowers),
  has_contact_form: is((s) => s.lead.facts.site?.contactForm),
  has_phone_number: is(({ lead: { fields, facts } }) => !!fields.phone || (facts.site?.phones?.length ?? 0) > 0),
  has_email: is(({ lead: { fields, facts } }) => !!fields.email || (facts.site?.emails?.length ?? 0) > 0),
  has_multiple_locations: is((s) => s.lead.fields.multipleLocations),

  review_count_gt: above((s) => s.lead.fields.reviewCount),
  review_count_lt: below((s) => s.lead.fields.reviewCount),
  page_count_gt: above((s) => s.lead.facts.site?.pageCount),
  page_count_lt: below((s) => s.lead.facts.site?.pageCount),
  employee_count_gt: above((s) => s.lead.fields.employeeCount),
  employee_count_lt: below((s) => s.lead.fields.employeeCount),
  revenue_gt: above((s) => s.lead.fields.revenue),
  revenue_lt: below((s) => s.lead.fields.revenue),
  founded_year_gt: above((s) => s.lead.fields.foundedYear),
  founded_year_lt: below((s) => s.lead.fields.foundedYear),
  tier_gt: above((s) => s.lead.tier),
  tier_equals: {
    argument: "number",
    compile: (tier) => (s) => s.lead.tier === tier,
  },
};

/**
 * The reasons for which no visitor would see a site either; a fact without a reason counts, too. A 403 or 429 turns robots
 * away, and what is too large, no HTML, or at a port that we do not open may be a site all the same.
 */
const unanswered = /^(?:|dns|refused|reset|unreachable|tls|timeout|bad_response|redirects|http_(?:404|410|5\d\d))$/;

type Fact<T> = (subject: Subject) => T | undefined;

function is(fact: Fact<boolean>): Condition {
  return { argument: "boolean", compile: (expected) => (s) => fact(s) === expected };
}
// typeof, not !== undefined: a null from somewhere else's JSON would be smaller than every bound.
function below(fact: Fact<number>): Condition {
  return {
    argument: "number",
    compile: (bound) => (s) => {
      const value = fact(s);
      return typeof value === "number" && value < bound;
    },
  };
}
function above(fact: Fact<number>): Condition {
  return {
    argument: "number",
    compile: (bound) => (s) => {
      const value = fact(s);
      return typeof value === "number" && value > bound;
    },
  };
}
/** Both ends belong to the range. */
function between(fact: Fact<number>): Condition {
  return {
    argument: "range",
    compile:
      ({ min, max }) =>
      (s) => {
        const value = fact(s);
        return typeof value === "number" && value >= min && value <= max;
      },
  };
}

function usesAny(names: readonly string[]): Test {
  const wanted = names.map(fold);
  return (s) => wanted.some((name) => s.technologies.has(name));
}

function versionIs({ technology, version }: Arguments["technologyVersion"], holds: (order: number) => boolean): Test {
  const wanted = fold(technology);
  const bound = partsOf(version)!;
  return (s) => {
    const found = s.technologies.get(wanted);
    const parts = found === undefined ? undefined : partsOf(found);
    return parts !== undefined && holds(compareParts(parts, bound));
  };
}

type Part = "city" | "state" | "zip";

/** Which parts of an address a place of the file can be: digits a ZIP code, two letters a state, else a city or a state's name. */
function partsFor(place: string): readonly Part[] {
  if (/^\d+(-\d+)?$/.test(place)) return ["zip"];
  return /^[a-z]{2}$/.test(place) ? ["state"] : ["city", "state", "zip"];
}

/** A state as a lead's address has it: the letters of a US state or a Canadian province, elsewhere what it is called. */
const foldState = (name: string): string => fold(stateCode(name, "US") ?? stateCode(name, "CA") ?? name);

/** A place of the file: which parts of an address it can be, each as a lead would have it there. */
function placeOf(name: string): { part: Part; value: string }[] {
  const place = fold(name);
  return partsFor(place).map((part) => ({ part, value: part === "state" ? foldState(place) : place }));
}

function isInAny(places: readonly string[]): Test {
  const wanted = places.flatMap(placeOf);
  return (s) => wanted.some(({ part, value }) => s[part] === value);
}

/** True only when each place is known not to be the lead's: the city, or the state, that it could be must be known. */
function isInNone(places: readonly string[]): Test {
  const unwanted = places.map(placeOf);
  return (s) =>
    unwanted.every((parts) =>
      parts.every(({ part, value }) => {
        const isOptional = part === "zip" && parts.length > 1;
        return s[part] !== value && (isOptional || s[part] !== undefined);
      }),
    );
}
