import type { Score } from "../leads/lead.ts";

/**
 * What a rule that fired means for the owner, by the rule's name: one sentence without jargon, that says no more than
 * what was looked at. The names are those of config/scoring-rules.yml; a test fails when a rule about the web site has
 * no sentence here.
 */
const sentences: Readonly<Record<string, string>> = {
  no_website: "We know of no web site of your own: people who look for you find other people's pages.",
  website_unreachable: "Your web site did not answer when we looked.",
  profile_instead_of_website:
    "Your web address leads to a page on someone else's platform. A site of your own stays yours.",
  free_host: "Your site carries the name of a free host. Your own name is easier to remember and to trust.",
  outdated_html: "Your pages are built in a way that today's browsers only just put up with.",
  dead_technology: "Parts of your site need technology that browsers no longer run, so visitors do not see them.",
  old_jquery: "Your site is built on a part (jQuery) whose version has known security faults.",
  old_wordpress: "Your site runs an old version of WordPress, which makes it slower and easier to break into.",
  old_php: "Your site runs on software (PHP) that gets no more security fixes.",
  old_bootstrap: "The design of your site is built on an old toolkit, and it shows its age.",
  no_viewport: "On a phone your site shows as a shrunken desktop page, and visitors have to zoom to read it.",
  no_contact_form: "We found no form on your site through which visitors can write to you.",
  no_social_media: "We found no links to social media on your site.",
  thin_site: "Your site has so few pages that search engines have little to show for you.",
  very_slow: "Your site is slow, and visitors on phones may leave before they see it.",
  slow: "Your site could be quicker, above all on phones.",
  slow_first_view: "Visitors wait more than four seconds until they see what they came for.",
  jumping_layout: "The page jumps while it loads, so that visitors tap the wrong thing.",
  hard_to_find: "Search engines find it hard to understand what your site is about.",
  hard_to_use: "Your site is hard to use for people who see, hear or move less well.",
  hardly_found: "Hardly anybody finds your site through search engines yet.",
  hardly_linked: "Hardly any other web site points to yours yet.",
};

/** Rules about the web address that prove nothing an owner should be told. */
const untold = new Set(["plain_http_address"]);

/** Has this rule a sentence, or is it one that is never told? */
export const isWorded = (rule: string): boolean => Object.hasOwn(sentences, rule) || untold.has(rule);

/**
 * What the present site lacks, the weightiest first: a sentence for each rule that raised the score. For a rule
 * without a sentence of its own, its description from `siteRules` (rules about the web site only: why a business is
 * attractive is nobody's improvement); else nothing.
 */
export function improvementsOf(
  score: Score | undefined,
  siteRules: ReadonlyMap<string, string> = new Map(),
  limit = 6,
): string[] {
  const raised = (score?.fired ?? []).filter((rule) => (rule.points ?? 0) > 0 && !untold.has(rule.name));
  return raised
    .toSorted((a, b) => b.points! - a.points!)
    .flatMap(({ name }) =>
      Object.hasOwn(sentences, name) ? sentences[name]! : (asSentence(siteRules.get(name)) ?? []),
    )
    .slice(0, limit);
}

function asSentence(description: string | undefined): string | undefined {
  const text = description?.trim();
  return text ? `${text[0]!.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}` : undefined;
}
