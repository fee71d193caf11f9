import type { Lead, Technology } from "../leads/lead.ts";

/** A lead as the conditions see it: text folded once a lead instead of once a rule. What is absent is not known. */
export interface Subject {
  lead: Lead;
  technologies: readonly { name: string; version: string | undefined }[];
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
    technologies: lead.facts.site?.technologies?.map(foldTechnology) ?? [],
    vertical: foldedVertical,
    labels,
    city: known(address?.city),
    state: known(address?.state),
    zip: known(address?.zip),
    website: known(website),
  };
}

const foldTechnology = ({ name, version }: Technology) => ({ name: fold(name), version });

function known(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === "" ? undefined : fold(text);
}
