import { createHash } from "node:crypto";
import { derivedId } from "../intake/ids.ts";
import { slug } from "../intake/text.ts";
import type { Lead, TimelineEntry, Trust } from "../leads/lead.ts";

/** One item of work: the listings of one vertical in one postal code, from one provider. Travels in source's mailbox. */
export interface WorkItem {
  /** Its id, derived from tenant, provider, listing, zip and vertical. Mailboxes call it so whatever they hold. */
  leadId: string;
  tenant: string;
  /** When it was opened, ms since 1970. */
  revision: number;
  timeline: TimelineEntry[];
  /** The service `listing-<provider>` has the listings. */
  provider: string;
  /** Which list of that provider: for `ndjson` a file or a URL. */
  listing: string;
  zip: string;
  vertical: string;
  trust: Trust;
  region: string;
  areaCode?: string;
}

/** What is asked for: every zip with every vertical. */
export interface WorkOrder {
  tenant: string;
  provider: string;
  listing: string;
  zips: readonly string[];
  verticals: readonly string[];
  trust: Trust;
  region: string;
  areaCode?: string;
}

/** What a provider's `page` action answers. */
export interface ListingPage {
  /** Listings in the fields of a lead; `answer` is what of the provider's own words may be kept, where these are not them. */
  rows: { raw: unknown; answer?: unknown }[];
  /** Rows of it that could not be read. */
  unreadable: number;
  /** Where the next page begins; null after the last. */
  cursor: string | null;
}

/** How far a provider is believed where the order does not say; any other is `scraped`. */
export const providerTrust: Readonly<Record<string, Trust>> = { places: "google", yelp: "yelp" };

/** Names the effect of reading a page, for ever. A long cursor (a token) is shortened to its hash. */
export function pageEffect({ leadId, revision }: Pick<WorkItem, "leadId" | "revision">, cursor: string | null): string {
  const page = cursor ?? "";
  return `${leadId} ${revision} ${page.length > 32 ? createHash("sha256").update(page).digest("hex") : page}`;
}

/** The items of an order, each once. `now`: ms since 1970. */
export function itemsOf(order: WorkOrder, now: number): WorkItem[] {
  const { tenant, provider, listing, trust, region, areaCode } = order;
  const verticals = [...new Set(order.verticals.map(slug))].filter((vertical) => vertical !== "");
  return [...new Set(order.zips)].flatMap((zip) =>
    verticals.map((vertical) => ({
      leadId: derivedId("work", tenant, provider, listing, zip, vertical),
      tenant,
      revision: now,
      timeline: [],
      provider,
      listing,
      zip,
      vertical,
      trust,
      region,
      ...(areaCode === undefined ? {} : { areaCode }),
    })),
  );
}

/** Does a listing belong to the item? One that names no vertical is taken to be of the one that was asked for. */
export function belongs({ fields }: Pick<Lead, "fields">, item: Pick<WorkItem, "zip" | "vertical">): boolean {
  if (fields.address?.zip !== item.zip) return false;
  return fields.vertical === item.vertical || (fields.categories?.includes(item.vertical) ?? false);
}
