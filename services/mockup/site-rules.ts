import { parse } from "yaml";

/** Conditions that look at the web site; docs/scoring.md describes them. */
const siteCondition =
  /^(tech_stack_|performance_|lcp_|cls_|seo_|accessibility_|semrush_|website_|page_count_|has_viewport$|has_contact_form$|has_social_media$)/;
const groups = new Set(["all_of", "any_of", "none_of"]);

/**
 * The rules of the scoring file that say something of the web site and nothing else: name -> description. Throws when
 * the text is no YAML; whether the rules are right is for the score stage to say.
 */
export function siteRules(yamlText: string): ReadonlyMap<string, string> {
  const file: unknown = parse(yamlText);
  const rules = isRecord(file) && Array.isArray(file["rules"]) ? file["rules"] : [];
  const texts = new Map<string, string>();
  for (const rule of rules) {
    if (!isRecord(rule)) continue;
    const { name, description, condition } = rule;
    if (typeof name === "string" && typeof description === "string" && isAboutSite(condition))
      texts.set(name, description);
  }
  return texts;
}

function isAboutSite(condition: unknown): boolean {
  if (!isRecord(condition)) return false;
  const entries = Object.entries(condition);
  return (
    entries.length > 0 &&
    entries.every(([key, value]) =>
      groups.has(key) ? Array.isArray(value) && value.every(isAboutSite) : siteCondition.test(key),
    )
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
