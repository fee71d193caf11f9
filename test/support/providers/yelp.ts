import { errors, searched, searchedBefore } from "./documented/yelp.ts";
import { type HttpStub, httpStub, type Words } from "./http-stub.ts";

/**
 * Yelp's Fusion business search on a local port: parameters and answer by
 * https://docs.developer.yelp.com/reference/v3_business_search, limits by
 * https://docs.developer.yelp.com/docs/places-rate-limiting.
 */
export const yelpKey = "stub-key-of-yelp";

const error = (code: string, description: string) => ({ error: { code, description } });
const words: Words = {
  "401": errors.tokenInvalid,
  "429": errors.tooManyPerSecond,
  "500": errors.internal,
};

/** The n-th business of a postal code; every tenth has closed for good. */
export function business(n: number, zip: string) {
  return {
    id: `yelp-${zip}-${n}`,
    alias: `bakery-${n}`,
    name: `Bakery ${n}`,
    image_url: "",
    is_closed: n % 10 === 9,
    url: `https://www.yelp.com/biz/bakery-${n}`,
    review_count: 10 + n,
    categories: [{ alias: "bakeries", title: "Bakeries" }],
    rating: 4.5,
    coordinates: { latitude: 41.88, longitude: -87.63 },
    transactions: [],
    location: {
      address1: `${100 + n} W Lake St`,
      address2: null,
      address3: "",
      city: "Chicago",
      zip_code: zip,
      country: "US",
      state: "IL",
      display_address: [`${100 + n} W Lake St`, `Chicago, IL ${zip}`],
    },
    phone: `+1312555${String(n).padStart(4, "0")}`,
    display_phone: "",
    distance: 10 * n,
  };
}

const parameters = new Set(["location", "term", "sort_by", "limit", "offset"]);

/** Postal codes that have the documentation's own examples. */
const examples: Readonly<Record<string, { businesses: object[]; total: number }>> = {
  "22399": searched,
  "94103": searchedBefore,
};
const orders = ["best_match", "rating", "review_count", "distance"];

/** `found` businesses in every other postal code but 00000, which Yelp does not know; shows `shown` of them at the most. */
export async function yelpStub({ found = 120, shown = 1_000 } = {}): Promise<HttpStub & { dayIsUsed: boolean }> {
  const day = { dayIsUsed: false };
  const stub = await httpStub(words, (url, request) => {
    const refuse = (status: number, code: string, description: string) => ({ status, body: error(code, description) });
    if (url.pathname !== "/v3/businesses/search") return refuse(404, "NOT_FOUND", "Resource could not be found.");
    const { authorization } = request.headers;
    if (authorization === undefined) return { status: 401, body: errors.tokenMissing };
    if (authorization !== `Bearer ${yelpKey}`) return { status: 401, body: errors.tokenInvalid };
    for (const name of url.searchParams.keys())
      if (!parameters.has(name)) return refuse(400, "VALIDATION_ERROR", `'${name}' was unexpected`);
    if (day.dayIsUsed)
      return {
        status: 429,
        body: errors.accessLimit,
        headers: { "ratelimit-remaining": "0", "ratelimit-resettime": new Date(Date.now() + 7_200_000).toISOString() },
      };
    const [zip, limit, offset] = [
      url.searchParams.get("location") ?? "",
      Number(url.searchParams.get("limit") ?? 20),
      Number(url.searchParams.get("offset") ?? 0),
    ];
    if (zip === "") return refuse(400, "VALIDATION_ERROR", "Please specify a location or a latitude and longitude");
    if (zip === "00000") return { status: 400, body: errors.locationNotFound };
    const order = url.searchParams.get("sort_by") ?? "best_match";
    if (!orders.includes(order)) return refuse(400, "VALIDATION_ERROR", `'${order}' is not one of ${orders}`);
    if (!(limit >= 0 && limit <= 50))
      return refuse(400, "VALIDATION_ERROR", `${limit} is greater than the maximum of 50`);
    if (!(offset >= 0)) return refuse(400, "VALIDATION_ERROR", `${offset} is less than the minimum of 0`);
    if (limit + offset > shown)
      return refuse(400, "VALIDATION_ERROR", `Too many results requested, limit+offset must be <= ${shown}.`);
    const example = examples[zip];
    if (example) return { status: 200, body: offset === 0 ? example : { ...example, businesses: [] } };
    const businesses = Array.from({ length: Math.max(0, Math.min(limit, found - offset)) }, (_, n) =>
      business(offset + n, zip),
    );
    return {
      status: 200,
      body: { businesses, total: found, region: { center: { longitude: -87.6, latitude: 41.9 } } },
    };
  });
  return Object.defineProperty(stub, "dayIsUsed", {
    get: () => day.dayIsUsed,
    set: (value: boolean) => {
      day.dayIsUsed = value;
    },
  }) as HttpStub & { dayIsUsed: boolean };
}
