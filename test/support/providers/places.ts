import { searched } from "./documented/places.ts";
import { type HttpStub, httpStub, type StubAnswer, type Words } from "./http-stub.ts";

/**
 * Google's Places API (New), Text Search, on a local port: parameters, fields and the example of
 * https://developers.google.com/maps/documentation/places/web-service/text-search, errors in the form of
 * https://cloud.google.com/apis/design/errors.
 */
export const placesKey = "AIzaStubKeyOfPlaces";

const error = (code: number, status: string, message: string, details: object[] = []) => ({
  error: { code, message, status, ...(details.length > 0 ? { details } : {}) },
});
const words: Words = {
  "401": error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
  "429": error(
    429,
    "RESOURCE_EXHAUSTED",
    "Quota exceeded for quota metric 'SearchTextRequest' and limit 'SearchTextRequest per minute' of service 'places.googleapis.com' for consumer 'project_number:1'.",
  ),
  "500": error(500, "INTERNAL", "Internal error encountered."),
};

/** The n-th place of a postal code; every tenth has closed for good. */
export const place = (n: number, zip: string) => ({
  name: `places/ChIJ-${zip}-${n}`,
  id: `ChIJ-${zip}-${n}`,
  types: ["bakery", "food_store", "point_of_interest", "establishment"],
  internationalPhoneNumber: `+1 312-555-${String(n).padStart(4, "0")}`,
  formattedAddress: `${100 + n} W Lake St, Chicago, IL ${zip}, USA`,
  rating: 4.5,
  websiteUri: `https://bakery-${n}.example/`,
  businessStatus: n % 10 === 9 ? "CLOSED_PERMANENTLY" : "OPERATIONAL",
  userRatingCount: 10 + n,
  displayName: { text: `Bakery ${n}`, languageCode: "en" },
  postalAddress: {
    regionCode: "US",
    languageCode: "en-US",
    postalCode: zip,
    administrativeArea: "Illinois",
    locality: "Chicago",
    addressLines: [`${100 + n} W Lake St`],
  },
  reviews: [{ text: { text: "Nobody asked for this." } }],
});

const parameters = new Set(
  "textQuery languageCode regionCode rankPreference includedType openNow minRating maxResultCount pageSize pageToken priceLevels strictTypeFiltering locationBias locationRestriction evOptions includePureServiceAreaBusinesses".split(
    " ",
  ),
);
const fields = new Set(Object.keys(place(0, "")));

/** The postal code that has the documentation's own example. */
const exampleZip = "2000";

export interface PlacesStub extends HttpStub {
  /** Tokens that were handed out are known no more. */
  forget(): void;
  /** How many places there are in every postal code but 99999, which has none. */
  found: number;
  /** What the last request asked for. */
  mask: string;
  body: any;
}

export async function placesStub(): Promise<PlacesStub> {
  const there = { found: 45 };
  /** token -> the search it goes on with, and where. */
  const tokens = new Map<string, { search: string; offset: number }>();
  const last = { mask: "", body: {} as any };
  const refuse = (message: string, details: object[] = []): StubAnswer => ({
    status: 400,
    body: error(400, "INVALID_ARGUMENT", message, details),
  });
  const stub = await httpStub(words, (url, request, sent) => {
    if (url.pathname !== "/v1/places:searchText" || request.method !== "POST")
      return { status: 404, body: error(404, "NOT_FOUND", "Requested entity was not found.") };
    const key = request.headers["x-goog-api-key"];
    if (key === undefined)
      return {
        status: 403,
        body: error(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers. Please use API Key."),
      };
    if (key !== placesKey)
      return refuse("API key not valid. Please pass a valid API key.", [{ reason: "API_KEY_INVALID" }]);
    last.mask = String(request.headers["x-goog-fieldmask"] ?? "");
    if (last.mask === "") return refuse("FieldMask is a required parameter.");
    const masks = last.mask.split(",");
    for (const path of masks)
      if (path !== "nextPageToken" && !(path.startsWith("places.") && fields.has(path.slice(7))))
        return refuse(`Error expanding 'fields' parameter. Cannot find matching fields for path '${path}'.`);
    const body = JSON.parse(sent);
    last.body = body;
    for (const name of Object.keys(body))
      if (!parameters.has(name))
        return refuse(`Invalid JSON payload received. Unknown name "${name}": Cannot find field.`);
    const { pageToken, ...search } = body;
    if (!search.textQuery) return refuse("Empty text_query.");
    const known = pageToken === undefined ? undefined : tokens.get(pageToken);
    // A token that is unknown, past the end, or of another search.
    if (pageToken !== undefined && known?.search !== JSON.stringify(search))
      return refuse("Request contains an invalid argument.");
    const zip = String(search.textQuery).split(" ").at(-1)!;
    const isMasked = ([name]: [string, unknown]) => masks.includes(`places.${name}`);
    if (zip === exampleZip) {
      // The example was asked for without ids; these are ours.
      const places = searched.places.map((one, n) => ({ id: `example-${n}`, ...one }));
      return {
        status: 200,
        body: { places: places.map((one) => Object.fromEntries(Object.entries(one).filter(isMasked))) },
      };
    }
    const offset = known?.offset ?? 0;
    const size = Math.min(20, search.pageSize || 20);
    // Sixty at the most, whatever there is.
    const all = zip === "99999" ? 0 : Math.min(60, there.found);
    const places = Array.from({ length: Math.max(0, Math.min(size, all - offset)) }, (_, n) => place(offset + n, zip));
    const masked = places.map((one) => Object.fromEntries(Object.entries(one).filter(isMasked)));
    const answer: Record<string, unknown> = masked.length > 0 ? { places: masked } : {};
    if (offset + size < all && masks.includes("nextPageToken")) {
      const token = `${Buffer.from(`${zip} ${offset + size}`).toString("base64url")}${"x".repeat(400)}`;
      tokens.set(token, { search: JSON.stringify(search), offset: offset + size });
      answer["nextPageToken"] = token;
    }
    return { status: 200, body: answer };
  });
  return Object.defineProperties(Object.assign(stub, { forget: () => tokens.clear() }), {
    found: {
      set: (found: number) => {
        there.found = found;
      },
    },
    mask: { get: () => last.mask },
    body: { get: () => last.body },
  }) as PlacesStub;
}
