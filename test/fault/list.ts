import { type GeneratedLead, type LabelledLead, labelledLeads } from "../../bin/demo/leads.ts";
import type { Double } from "./judge.ts";

/** A list with all the faults of real ones, and what is to become of it. */
export interface List {
  /** NDJSON. */
  text: string;
  /** Rows that are leads, repeats among them. */
  rows: number;
  /** Leads, each once. */
  ids: string[];
  doubles: Double[];
}

/** A list of sources of its own, the same one for the same name and seed. `idOf`: of the lead that the mesh makes of a row. */
export function listOf(
  { name, seed, count }: { name: string; seed: string; count: number },
  idOf: (lead: GeneratedLead) => string,
): List {
  const told: LabelledLead[] = [...labelledLeads({ count, seed: `${seed} ${name}` })].map((row) => ({
    ...row,
    lead: { ...row.lead, source: `${row.lead.source}-${name}` },
  }));
  /** By source id: no two sources of a list have one alike. */
  const ids = new Map<string, string>();
  const doubles: Double[] = [];
  const leads = told.filter(({ label }) => label !== "refused");
  for (const { lead, label, of } of leads) {
    const id = idOf(lead);
    ids.set(lead.sourceId!, id);
    if (label === "double") doubles.push({ id, of: ids.get(of!)! });
  }
  return {
    text: told.map(({ lead }) => `${JSON.stringify(lead)}\n`).join(""),
    rows: leads.length,
    ids: [...ids.values()],
    doubles,
  };
}
