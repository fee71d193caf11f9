import type { Lead, Technology } from "../leads/lead.ts";

/** A lead as the conditions see it: text folded once a lead instead of once a rule. What is absent is not known. */
export interface Subject {
  lead: Lead;
  /** Name -> version, where that is known. */
  technologies: ReadonlyMap<string, string | undefined>;
  vertical: string | undefined;
  /** Categories and vertical. */
  labels: readonly string[];
  city: string | undefined;
  state: string | undefined;
  zip: string | undefined;
  website: string | undefined;
}

/** Lower case, and the same whether words are parted by spaces, dashes or underscores. */
export const foldLabel = (text: string): string =>
  text
    .trim()
    .toLowerCase()
    .replace(/[\s_-]+/g, " ");
export const fold = (text: string): string => text.trim().toLowerCase();

export function subjectOf(lead: Lead): Subject {
  const { address, categories, vertical, website } = lead.fields;
  const foldedVertical = vertical === undefined ? undefined : foldLabel(vertical);
  const labels = categories?.map(foldLabel) ?? [];
  if (foldedVertical !== undefined) labels.push(foldedVertical);
  return {
    lead,
    technologies: technologiesOf(lead.facts.site?.technologies),
    vertical: foldedVertical,
    labels,
    city: known(address?.city),
    state: known(address?.state),
    zip: known(address?.zip),
    website: known(website),
  };
}

const noTechnologies: ReadonlyMap<string, undefined> = new Map();

function technologiesOf(technologies: readonly Technology[] | undefined): Subject["technologies"] {
  if (!technologies?.length) return noTechnologies;
  const found = new Map<string, string | undefined>();
  for (const { name, version } of technologies) {
    const folded = fold(name);
    if (version !== undefined || !found.has(folded)) found.set(folded, version);
  }
  return found;
}

function known(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === "" ? undefined : fold(text);
}
