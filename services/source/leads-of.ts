import { derivedId } from "../intake/ids.ts";
import { marksOf } from "../intake/marks.ts";
import { normalise } from "../intake/normalise.ts";
import type { Lead } from "../leads/lead.ts";
import type { RawAnswer } from "../leads/raw.sql.ts";
import { belongs, type ListingPage, type WorkItem } from "./work.ts";

/**
 * The leads of a page that belong to the item, and what was told of each. A listing without an id of its own gets one
 * from its content, so that the same page read twice gives the same leads. `now`: ms since 1970. `isErased`: its person
 * asked to be forgotten.
 */
export function leadsOf(
  item: WorkItem,
  page: Pick<ListingPage, "rows">,
  now: number,
  isErased: (lead: Lead) => boolean = () => false,
): { leads: Lead[]; raw: RawAnswer[]; refused: number } {
  const leads: Lead[] = [];
  const kept: RawAnswer[] = [];
  let refused = 0;
  for (const { raw, answer = raw } of page.rows) {
    const read = normalise(raw, {
      tenant: item.tenant,
      source: item.provider,
      trust: item.trust,
      defaultRegion: item.region,
      ...(item.areaCode === undefined ? {} : { areaCode: item.areaCode }),
      vertical: item.vertical,
      now,
      newId: () => derivedId("listing", item.tenant, item.provider, item.listing, JSON.stringify(raw)),
    });
    if ("faults" in read || isErased(read.lead)) refused++;
    else if (belongs(read.lead, item)) {
      const { tenant, source, sourceId, leadId } = read.lead;
      leads.push(read.lead);
      kept.push({ tenant, source, sourceId: sourceId ?? leadId, leadId, marks: marksOf(read.lead), answer });
    }
  }
  return { leads, raw: kept, refused };
}
