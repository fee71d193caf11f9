/**
 * Yelp Fusion business search, https://docs.developer.yelp.com/reference/v3_business_search: what is asked for, and what an
 * answer says. Errors and limits: https://docs.developer.yelp.com/docs/places-rate-limiting.
 */

export const path = "/v3/businesses/search";
/** Businesses of a page, and of all pages of a search, at the most. */
export const pageSize = 50;
export const maxResults = 1_000;

export function query(zip: string, vertical: string, offset: number): (readonly [string, string])[] {
  return [
    ["location", zip],
    ["term", vertical.replaceAll("-", " ")],
    ["sort_by", "distance"],
    ["limit", String(Math.min(pageSize, maxResults - offset))],
    ["offset", String(offset)],
  ];
}

const text = { type: "string", optional: true, nullable: true } as const;
const number = { type: "number", optional: true, nullable: true } as const;

/** The form of an answer, as far as it is read. */
export const schema = {
  total: { type: "number", integer: true, min: 0 },
  businesses: {
    type: "array",
    max: pageSize,
    items: {
      type: "object",
      props: {
        id: { type: "string", min: 1 },
        name: "string",
        phone: text,
        is_closed: { type: "boolean", optional: true },
        rating: number,
        review_count: number,
        categories: { type: "array", optional: true, items: { type: "object", props: { title: "string" } } },
        location: {
          type: "object",
          optional: true,
          props: { address1: text, address2: text, city: text, state: text, zip_code: text, country: text },
        },
      },
    },
  },
};

type Text = string | null | undefined;
export interface Business {
  id: string;
  name: string;
  phone?: Text;
  is_closed?: boolean;
  rating?: number | null;
  review_count?: number | null;
  categories?: { title: string }[];
  location?: { address1?: Text; address2?: Text; city?: Text; state?: Text; zip_code?: Text; country?: Text };
}
export interface SearchAnswer {
  total: number;
  businesses: Business[];
}

export interface YelpPage {
  rows: { raw: unknown; answer: unknown }[];
  unreadable: number;
  cursor: string | null;
}

/** A page of listings, and where the next one begins: at the end of what was found, or of what Yelp shows of it. */
export function pageOf({ total, businesses }: SearchAnswer, offset: number): YelpPage {
  const next = offset + businesses.length;
  const isLast = businesses.length === 0 || next >= Math.min(total, maxResults);
  return {
    // One that has closed for good is no lead.
    rows: businesses
      .filter(({ is_closed: isClosed }) => isClosed !== true)
      .map((one) => ({ raw: rawOf(one), answer: one })),
    unreadable: 0,
    cursor: isLast ? null : String(next),
  };
}

/** The listing in the fields of a lead. `url` is left out: it is Yelp's page, not the business's own. */
function rawOf({ id, name, phone, rating, review_count: reviewCount, categories, location = {} }: Business): object {
  const { address1, address2, city, state, zip_code: zip, country } = location;
  const raw = {
    sourceId: id,
    name,
    phone,
    street: address1,
    unit: address2,
    city,
    state,
    zip,
    country,
    rating,
    reviewCount,
    categories: categories?.map(({ title }) => title),
  };
  return Object.fromEntries(
    Object.entries(raw).filter(([, value]) => value !== undefined && value !== null && value !== ""),
  );
}

/**
 * Yelp's errors in its own terms. A day's limit is reset at midnight UTC, which `RateLimit-ResetTime` says; too many in a
 * second pass within one. A place that it does not know, or a page past the end, is the end of the search. `now`: ms.
 */
export function sortError(
  { status, headers }: { status: number; headers: Pick<Headers, "get"> },
  body: unknown,
  now: number,
): { kind: "never"; reason: string } | { kind: "later"; waitMs: number | null; reason: string } | null {
  const code = (body as { error?: { code?: string } } | undefined)?.error?.code;
  if (status === 429 && code === "ACCESS_LIMIT_REACHED") {
    const reset = Date.parse(headers.get("ratelimit-resettime") ?? "");
    const midnight = (Math.floor(now / 86_400_000) + 1) * 86_400_000;
    const until = reset > now && reset <= now + 86_400_000 ? reset : midnight;
    return { kind: "later", waitMs: until - now, reason: "has had its calls of the day (429)" };
  }
  if (status === 400 && code !== undefined) return { kind: "never", reason: code };
  return null;
}

/** Reasons that mean "there is nothing (more) here". */
export function isEnd(reason: string | undefined, offset: number): boolean {
  return reason === "LOCATION_NOT_FOUND" || (reason === "VALIDATION_ERROR" && offset > 0);
}
