import type { PageSpeedFacts } from "../leads/lead.ts";

/**
 * PageSpeed Insights v5, https://developers.google.com/speed/docs/insights/rest/v5/pagespeedapi/runpagespeed: what is
 * asked for, and what an answer says.
 */

export const path = "/pagespeedonline/v5/runPagespeed";

/** The query of a measurement on a mobile device: without categories only performance would be run. */
export function query(url: string, key: string): (readonly [string, string])[] {
  return [
    ["url", url],
    ["strategy", "mobile"],
    ...(["performance", "accessibility", "best-practices", "seo"] as const).map((c) => ["category", c] as const),
    ["key", key],
  ];
}

const category = {
  type: "object",
  optional: true,
  nullable: true,
  props: { score: { type: "number", optional: true, nullable: true, min: 0, max: 1 } },
};

/** The form of an answer, as far as it is read. A score is null where Lighthouse could not tell. */
export const schema = {
  lighthouseResult: {
    type: "object",
    props: {
      categories: {
        type: "object",
        props: { performance: category, accessibility: category, "best-practices": category, seo: category },
      },
      audits: { type: "object" },
      runtimeError: { type: "object", optional: true, nullable: true, props: { code: "string" } },
    },
  },
  analysisUTCTimestamp: { type: "string", optional: true },
};

interface Audit {
  score?: number | null;
  numericValue?: number;
}
export interface PageSpeedAnswer {
  analysisUTCTimestamp?: string;
  lighthouseResult: {
    categories: Record<string, { score?: number | null } | null | undefined>;
    audits: Record<string, Audit | undefined>;
    runtimeError?: { code: string } | null;
  };
}

export function factsOf({ lighthouseResult, analysisUTCTimestamp = "" }: PageSpeedAnswer): PageSpeedFacts {
  const { categories, audits, runtimeError } = lighthouseResult;
  const measuredAt = Date.parse(analysisUTCTimestamp);
  const when = Number.isNaN(measuredAt) ? {} : { measuredAt };
  if (runtimeError && runtimeError.code !== "NO_ERROR") return { status: "failed", reason: runtimeError.code, ...when };
  const points = (name: string) => {
    const score = categories[name]?.score;
    return typeof score === "number" ? Math.round(score * 100) : undefined;
  };
  const value = (name: string, digits: number) => {
    const number = audits[name]?.numericValue;
    return typeof number === "number" && number >= 0 ? Number(number.toFixed(digits)) : undefined;
  };
  // Lighthouse 12 and 13 renamed them; the first that there is counts.
  const score = (...names: string[]) =>
    names.map((name) => audits[name]?.score).find((found): found is number => typeof found === "number");
  const viewport = score("viewport", "viewport-insight");
  return known({
    status: "ok",
    ...when,
    performance: points("performance"),
    accessibility: points("accessibility"),
    bestPractices: points("best-practices"),
    seo: points("seo"),
    fcpMs: value("first-contentful-paint", 0),
    lcpMs: value("largest-contentful-paint", 0),
    tbtMs: value("total-blocking-time", 0),
    siMs: value("speed-index", 0),
    cls: value("cumulative-layout-shift", 3),
    viewport: viewport === undefined ? undefined : viewport === 1,
    tapTargets: score("tap-targets", "target-size"),
  });
}

/** Without what is not known: an absent fact is no zero. */
function known(facts: { [K in keyof PageSpeedFacts]: PageSpeedFacts[K] | undefined }): PageSpeedFacts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

/**
 * Google's errors in its own terms. Lighthouse that could not load the page (400 `lighthouseUserError`, 500
 * `lighthouseError`: https://github.com/GoogleChrome/lighthouse/issues/16900, …/9893) speaks of the page. null: it is
 * none of these.
 */
export function sortError(body: unknown): { kind: "never"; reason: string } | null {
  const { error } = (body ?? {}) as { error?: { message?: string; errors?: { domain?: string; reason?: string }[] } };
  const told = error?.errors?.[0];
  if (told?.domain !== "lighthouse" && !/^lighthouse/.test(told?.reason ?? "")) return null;
  const code = /Lighthouse returned error: ([A-Z_]+)/.exec(error?.message ?? "")?.[1];
  return { kind: "never", reason: code ?? "LIGHTHOUSE_ERROR" };
}
