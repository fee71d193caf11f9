import type { Knex } from "knex";
import type { Lead } from "../leads/lead.ts";
import { type Arrival, insertLeads } from "../leads/record.ts";
import { writeIdentities } from "./dedupe.sql.ts";
import { keysOf, type MatchKey } from "./keys.ts";
import { changedIdentities } from "./party.ts";
import { type Profile, profileOf } from "./profile.ts";
import { type Origins, retold, toldBy } from "./survivorship.ts";

/** A lead of the batch that stands on record, with its keys. */
export interface Arrived {
  lead: Lead;
  profile: Profile;
  keys: readonly MatchKey[];
  arrival: Arrival;
}

/**
 * The first transaction: leads come on record, with their keys. Of several tellings of one lead the caller gives the
 * last. A repeat finds all of it there and writes nothing; of a lead that is erased or discarded nothing is written.
 */
export async function arrive(trx: Knex.Transaction, stage: string, tellings: readonly Lead[]): Promise<Arrived[]> {
  const keyed = new Map(
    tellings.map((lead) => {
      const profile = profileOf(lead, lead.fields);
      return [lead, { lead, profile, keys: keysOf(lead.tenant, profile) }];
    }),
  );
  const arrivals = await insertLeads(trx, stage, tellings, (lead) => keyed.get(lead)!.keys.map(({ value }) => value));
  const arrived = tellings.map((lead, at) => ({ ...keyed.get(lead)!, arrival: arrivals[at]! }));
  const retellings = changedIdentities(arrived.flatMap(retelling));
  if (retellings.length > 0) await writeIdentities(trx, retellings);
  return arrived;
}

/** The arrival has written a telling's fields whole; what the row had from others competes with them again. */
function retelling({ lead, arrival: { before } }: Arrived) {
  if (!before) return [];
  const { fields, provenance } = before as { fields: Lead["fields"]; provenance: Origins };
  const { leadId, tenant, revision } = lead;
  const recorded = toldBy(lead);
  return [{ leadId, tenant, revision, recorded, told: retold({ fields, origins: provenance }, recorded, leadId) }];
}
