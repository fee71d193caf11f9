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

/** Longest rule of a robots.txt that is read, characters: no address that is fetched is longer. */
const longestRule = 2_048;
/** What rules with wildcards may come to, characters: weighing one takes its length times that of the address. */
const mostWildcards = 64_000;
const nothingAllowed = "User-agent: *\nDisallow: /";

/**
 * What of a robots.txt is for us: the rules of our groups and of those for everybody (RFC 9309 section 2.2.1), each group with
 * one line an agent. The parser makes a rule of each line for each line of agents above it: of a text that nobody chose it
 * would make any number. One whose rules would take long to weigh allows nothing.
 */
export function forUs(text: string): string {
  const kept: string[] = [];
  const agents = new Set<string>();
  let inHead = false;
  let hasRules = false;
  let wildcards = 0;
  for (const line of text.split(/\r\n|\r|\n/)) {
    const [, field = "", told = ""] = /^([^:#]+):([^#]*)/.exec(line) ?? [];
    const [name, value] = [field.trim().toLowerCase(), told.trim()];
    if (name === "") continue;
    if (name === "user-agent") {
      if (!inHead) {
        // Agents without a rule are no group.
        if (!hasRules) kept.length -= agents.size;
        agents.clear();
        hasRules = false;
      }
      const agent = value.toLowerCase().split("/")[0]!.trim();
      if ((agent === "*" || agent === robotName.toLowerCase()) && !agents.has(agent)) {
        agents.add(agent);
        kept.push(`User-agent: ${agent}`);
      }
    } else if (agents.size > 0 && (name === "allow" || name === "disallow")) {
      hasRules = true;
      const rule = value.length <= longestRule ? value : "";
      if (rule.includes("*")) wildcards += rule.length;
      if (wildcards > mostWildcards) return nothingAllowed;
      kept.push(`${name}: ${rule}`);
    }
    inHead = name === "user-agent";
  }
  return kept.join("\n");
}

/** May the page be read? `robots`: what of the host's robots.txt is {@link forUs}, null where its server failed: then nothing may. */
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
