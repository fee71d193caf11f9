import robotsModule from "robots-parser";
import type { SiteFacts } from "../leads/lead.ts";
import type { FetchError } from "./fetch.ts";

/** Its types speak of an ES module; what is loaded is a CommonJS one: the function itself. */
const robotsParser = robotsModule as unknown as typeof robotsModule.default;

/** The product's name in robots.txt. */
export const robotName = "LeadFactoryBot";

/** How long facts are kept: what was read, a week; that a site is down or closed to us, an hour, since it may soon change. */
export function keptSeconds(facts: SiteFacts): number {
  return facts.status === "ok" ? 7 * 24 * 3_600 : 3_600;
}

/** May the page be read? `robots`: text of the host's robots.txt, null where its server failed: then nothing may. */
export function isAllowed(robots: string | null, url: string): boolean {
  if (robots === null) return false;
  return robots === "" || robotsParser(new URL("/robots.txt", url).href, robots).isAllowed(url, robotName) !== false;
}

/** The facts about a site that gave no page. */
export function unreachable(error: FetchError, now: number): SiteFacts {
  const status =
    error.reason === "off" ? "not_fetched" : error.reason.startsWith("robots") ? "disallowed" : "unreachable";
  return {
    status,
    reason: error.reason,
    ...(error.httpStatus === undefined ? {} : { httpStatus: error.httpStatus }),
    fetchedAt: now,
  };
}

/** Of several addresses that failed, the failure that says most: one that came furthest. */
const telling = ["tls", "timeout", "reset", "bad_response", "refused", "blocked_address", "unreachable", "dns"];
export function mostTelling(failures: readonly FetchError[]): FetchError {
  return failures.toSorted((a, b) => telling.indexOf(a.reason) - telling.indexOf(b.reason))[0]!;
}

/** Is it worth trying the next address of a site? Only where no web server answered at all. */
export function triesNext(error: FetchError): boolean {
  return (
    error.code === "UND_ERR_CONNECT_TIMEOUT" || ["tls", "reset", "refused", "unreachable", "dns"].includes(error.reason)
  );
}
