import { randomUUID } from "node:crypto";
import type { Lead, MockupDraft } from "../../services/leads/lead.ts";

/** A lead as the intake would make it; give what matters to the test. */
export function aLead(given: Partial<Lead> = {}): Lead {
  const leadId = given.leadId ?? randomUUID();
  return {
    leadId,
    tenant: "acme",
    revision: 1_760_000_000_000,
    source: "test",
    sourceId: leadId,
    trust: "imported",
    tier: 1,
    fields: { name: `Business ${leadId.slice(0, 8)}`, phone: "+13125550100" },
    facts: {},
    timeline: [],
    ...given,
  };
}

/** The same lead after it passed these stages. */
export function passed(lead: Lead, ...stages: string[]): Lead {
  const at = lead.revision + lead.timeline.length;
  const entries = stages.map((stage) => ({ stage, at, waitedMs: 1, workedMs: 1, outcome: "forward" }));
  return { ...lead, timeline: [...lead.timeline, ...entries] };
}

/** A mock-up without words, but for what the present site lacks. */
export const bareMockup = (improvements: string[] = []): MockupDraft => ({
  template: "business",
  headline: "",
  tagline: "",
  sections: [],
  callToAction: "",
  palette: "navy",
  improvements,
});
