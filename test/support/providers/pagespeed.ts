import { measured, measuredUrl } from "./documented/pagespeed.ts";
import { type HttpStub, httpStub, type Words } from "./http-stub.ts";

/**
 * PageSpeed Insights v5 on a local port: its parameters and its answer's form by
 * https://developers.google.com/speed/docs/insights/rest/v5/pagespeedapi/runpagespeed, errors in the form of
 * https://cloud.google.com/apis/design/errors, Lighthouse's as in https://github.com/GoogleChrome/lighthouse/issues/16900
 * and https://github.com/GoogleChrome/lighthouse/issues/9893.
 */
export const pagespeedKey = "AIzaStubKeyOfPageSpeed";

const error = (code: number, message: string, status: string, reason: string, domain: string, more: object = {}) => ({
  error: { code, message, errors: [{ message, domain, reason }], status, ...more },
});

const words: Words = {
  "401": error(401, "Request had invalid authentication credentials.", "UNAUTHENTICATED", "authError", "global"),
  "429": error(
    429,
    "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service 'pagespeedonline.googleapis.com' for consumer 'project_number:1'.",
    "RESOURCE_EXHAUSTED",
    "rateLimitExceeded",
    "global",
  ),
  "500": error(500, "Internal error encountered.", "INTERNAL", "backendError", "global"),
};

const audit = (id: string, score: number | null, numericValue?: number) => ({
  [id]: {
    id,
    title: id,
    description: id,
    score,
    scoreDisplayMode: numericValue === undefined ? "binary" : "numeric",
    numericValue,
  },
});

/** A measurement in the documented form. */
export function measurement(
  url: string,
  more: { runtimeError?: { code: string; message: string }; audits?: Record<string, object | undefined> } = {},
) {
  const category = (id: string, score: number) => ({ [id]: { id, title: id, score, auditRefs: [] } });
  return {
    captchaResult: "CAPTCHA_NOT_NEEDED",
    kind: "pagespeedonline#result",
    id: url,
    loadingExperience: { initial_url: url },
    analysisUTCTimestamp: "2026-11-23T12:00:00.000Z",
    lighthouseResult: {
      requestedUrl: url,
      finalUrl: url,
      lighthouseVersion: "11.0.0",
      fetchTime: "2026-11-23T12:00:00.000Z",
      runWarnings: [],
      configSettings: { emulatedFormFactor: "mobile", formFactor: "mobile", locale: "en-US" },
      audits: {
        ...audit("first-contentful-paint", 0.55, 2_710.4),
        ...audit("largest-contentful-paint", 0.3, 5_020.7),
        ...audit("total-blocking-time", 0.8, 260),
        ...audit("speed-index", 0.6, 4_800.2),
        ...audit("cumulative-layout-shift", 0.9, 0.104_812),
        ...audit("viewport", 1),
        ...audit("tap-targets", 0.87),
        ...more.audits,
      },
      categories: {
        ...category("performance", 0.52),
        ...category("accessibility", 0.81),
        ...category("best-practices", 0.96),
        ...category("seo", 0.905),
      },
      ...(more.runtimeError ? { runtimeError: more.runtimeError } : {}),
    },
  };
}

const parameters = new Set([
  "url",
  "strategy",
  "category",
  "locale",
  "key",
  "utm_campaign",
  "utm_source",
  "captchaToken",
]);

/** Answers the documentation's own example about its own site. Hosts whose first word is `unloadable-` cannot be loaded by Lighthouse, `crashing-` end it, `blank-` paint nothing. */
export function pagespeedStub(): Promise<HttpStub> {
  return httpStub(words, (url) => {
    const refuse = (message: string, more: object = {}) => ({
      status: 400,
      body: error(400, message, "INVALID_ARGUMENT", "badRequest", "global", more),
    });
    if (url.pathname !== "/pagespeedonline/v5/runPagespeed") return { status: 404, body: {} };
    for (const name of url.searchParams.keys())
      if (!parameters.has(name)) return refuse(`Invalid JSON payload received. Unknown name "${name}"`);
    if (url.searchParams.get("key") !== pagespeedKey)
      return refuse("API key not valid. Please pass a valid API key.", { details: [{ reason: "API_KEY_INVALID" }] });
    const target = url.searchParams.get("url") ?? "";
    if (!/^https?:\/\//.test(target)) return refuse(`Invalid value '${target}'.`);
    const known = ["performance", "accessibility", "best-practices", "seo", "pwa"];
    for (const category of url.searchParams.getAll("category"))
      if (!known.includes(category)) return refuse(`Invalid value at 'category' "${category}"`);
    if (url.searchParams.get("strategy") !== "mobile") return refuse("this stub measures for mobile alone");
    const host = new URL(target).host;
    const lighthouse = (status: number, reason: string, code: string) => ({
      status,
      body: error(
        status,
        `Lighthouse returned error: ${code}. Lighthouse was unable to reliably load the page.`,
        "",
        reason,
        "lighthouse",
      ),
    });
    if (host.startsWith("unloadable-")) return lighthouse(400, "lighthouseUserError", "FAILED_DOCUMENT_REQUEST");
    if (host.startsWith("crashing-")) return lighthouse(500, "lighthouseError", "ERRORED_DOCUMENT_REQUEST");
    if (host.startsWith("blank-")) {
      const runtimeError = { code: "NO_FCP", message: "The page did not paint any content." };
      return { status: 200, body: measurement(target, { runtimeError }) };
    }
    return { status: 200, body: target === measuredUrl ? measured : measurement(target) };
  });
}
