/**
 * Google's Places API (New), Text Search: what is asked for, and what an answer says.
 * https://developers.google.com/maps/documentation/places/web-service/text-search
 */

export const path = "/v1/places:searchText";
export const pageSize = 20;

/**
 * The fields that become a lead's, and no other: each is paid for. Telephone, web site and rating make it "Text Search
 * Enterprise"; reviews and photos are not asked for.
 */
export const fieldMask = [
  "nextPageToken",
  "places.id",
  "places.businessStatus",
  "places.displayName",
  "places.formattedAddress",
  "places.postalAddress",
  "places.types",
  "places.internationalPhoneNumber",
  "places.rating",
  "places.userRatingCount",
  "places.websiteUri",
].join(",");

export interface Search {
  vertical: string;
  zip: string;
  region: string;
}

/** All but the token must be the same for every page of a search. */
export function requestBody({ vertical, zip, region }: Search, pageToken: string | null): object {
  return {
    textQuery: `${vertical.replaceAll("-", " ")} in ${zip}`,
    regionCode: region,
    languageCode: "en",
    pageSize,
    ...(pageToken === null ? {} : { pageToken }),
  };
}

const text = { type: "string", optional: true, nullable: true } as const;
const number = { type: "number", optional: true, nullable: true } as const;
const texts = { type: "array", optional: true, items: "string" } as const;

/** The form of an answer, as far as it is read. One without places has none: `{}`. */
export const schema = {
  // An answer of another form must not pass for an empty one.
  $$strict: true,
  nextPageToken: text,
  places: {
    type: "array",
    optional: true,
    max: pageSize,
    items: {
      type: "object",
      props: {
        id: { type: "string", min: 1 },
        businessStatus: text,
        displayName: { type: "object", optional: true, props: { text: "string" } },
        formattedAddress: text,
        postalAddress: {
          type: "object",
          optional: true,
          props: { regionCode: text, postalCode: text, administrativeArea: text, locality: text, addressLines: texts },
        },
        types: texts,
        internationalPhoneNumber: text,
        rating: number,
        userRatingCount: number,
        websiteUri: text,
      },
    },
  },
};

type Text = string | null | undefined;
export interface Place {
  id: string;
  businessStatus?: Text;
  displayName?: { text: string };
  formattedAddress?: Text;
  postalAddress?: {
    regionCode?: Text;
    postalCode?: Text;
    administrativeArea?: Text;
    locality?: Text;
    addressLines?: string[];
  };
  types?: string[];
  internationalPhoneNumber?: Text;
  rating?: number | null;
  userRatingCount?: number | null;
  websiteUri?: Text;
}
export interface SearchAnswer {
  places?: Place[];
  nextPageToken?: Text;
}

export interface PlacesPage {
  rows: { raw: unknown; answer: unknown }[];
  unreadable: number;
  cursor: string | null;
}

/**
 * A page of listings and where the next one begins. `kept`: what stands beside each listing as Google told it
 * (`LEADS_PLACES_RAW`, docs/providers.md).
 */
export function pageOf(
  { places = [], nextPageToken }: SearchAnswer,
  { round, kept }: { round: number; kept: "id" | "answer" },
): PlacesPage {
  // One that has closed for good is no lead.
  const open = places.filter(({ businessStatus }) => businessStatus !== "CLOSED_PERMANENTLY");
  return {
    rows: open.map((place) => ({ raw: rawOf(place), answer: kept === "id" ? { id: place.id } : place })),
    unreadable: 0,
    cursor: nextPageToken ? `${round}.${nextPageToken}` : null,
  };
}

/** Types that say nothing of what a business does. */
const plain = new Set(["establishment", "point_of_interest", "premise", "political"]);

/** The listing in the fields of a lead. */
function rawOf(place: Place): object {
  const { regionCode, postalCode, administrativeArea, locality, addressLines } = place.postalAddress ?? {};
  const raw = {
    sourceId: place.id,
    name: place.displayName?.text,
    phone: place.internationalPhoneNumber,
    website: place.websiteUri,
    address: place.postalAddress ? undefined : place.formattedAddress,
    street: addressLines?.[0],
    unit: addressLines?.[1],
    city: locality,
    state: administrativeArea,
    zip: postalCode,
    country: regionCode,
    rating: place.rating,
    reviewCount: place.userRatingCount,
    categories: place.types?.filter((type) => !plain.has(type)).map((type) => type.replaceAll("_", " ")),
  };
  return Object.fromEntries(
    Object.entries(raw).filter(([, value]) => value !== undefined && value !== null && value !== ""),
  );
}

/** A cursor is a page's token, with how often the search was begun anew for one that was refused. */
export function tokenOf(cursor: string): { round: number; token: string } {
  const dot = cursor.indexOf(".");
  return { round: Number(cursor.slice(0, dot)), token: cursor.slice(dot + 1) };
}

/** A request that is refused as such, by Google's own word for it. null: it is none. */
export function sortError(body: unknown): { kind: "never"; reason: string } | null {
  const { error } = (body ?? {}) as { error?: { status?: string } };
  return error?.status === "INVALID_ARGUMENT" ? { kind: "never", reason: error.status } : null;
}
