import type { Knex } from "knex";
import { statement } from "../../mixins/knex.ts";
import type { LeadState } from "../leads/lead.ts";
import { statesOf } from "../leads/leads.sql.ts";
import type { LetterRow } from "./letters.sql.ts";
import type { OnRecord } from "./plan.ts";

export const leadKey = ({ tenant, leadId }: Pick<LetterRow, "tenant" | "leadId">) => `${tenant} ${leadId}`;

/** How the leads of these letters stand on record, by {@link leadKey}; of those that are not there, nothing. */
export async function readOnRecord(knex: Knex, letters: readonly LetterRow[]): Promise<Map<string, OnRecord>> {
  const leads = letters.flatMap(({ kind, tenant, leadId }) => (kind === "lead" && leadId ? [{ tenant, leadId }] : []));
  const found = await statement(() => statesOf(knex, leads));
  return new Map(
    found.map(({ tenant, lead_id: leadId, state, revision }) => [
      leadKey({ tenant, leadId }),
      { state: state as LeadState, revision },
    ]),
  );
}
