import { randomUUID } from "node:crypto";
import { generateLeads } from "../../bin/demo/leads.ts";
import { normalise } from "../../services/intake/normalise.ts";
import type { RawLead } from "../../services/intake/raw.ts";
import type { Lead } from "../../services/leads/lead.ts";

/** Leads that are nobody's double. */
export function* freshLeads(tenant: string, count: number, seed: string): Generator<Lead> {
  let n = 0;
  for (const raw of generateLeads({ count: count * 2, seed })) {
    if (n === count) return;
    const context = {
      tenant,
      source: seed,
      trust: "imported",
      defaultRegion: "US",
      now: Date.now(),
      newId: randomUUID,
    } as const;
    const read = normalise({ ...(raw as RawLead), source: seed, sourceId: String(n) }, context);
    if ("faults" in read) continue;
    read.lead.fields.name += ` ${seed} ${n}`;
    if (read.lead.fields.address?.street) read.lead.fields.address.street = `${n} ${seed} Street`;
    n++;
    yield read.lead;
  }
}
