import type { Address } from "../leads/lead.ts";

/**
 * The IANA time zone of an address, by state and, where a line runs through a state, by the first three digits of the
 * ZIP. After 49 CFR part 71 (the zones' limits) and the Postal Service's list of three-digit prefixes; where a prefix
 * lies on both sides the zone of most of its people. Undefined where the state says nothing.
 */
export function timeZoneOf(address: Address | undefined): string | undefined {
  const { state, zip, country = "US" } = address ?? {};
  if (state === undefined || (country !== "US" && country !== "CA")) return undefined;
  const prefix = /^\d{5}/.test(zip ?? "") ? zip!.slice(0, 3) : "";
  return byPrefix.get(`${state} ${prefix}`) ?? byState.get(state);
}

const zones: Record<string, string> = {
  "America/New_York": "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
  "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
  "America/Denver": "CO ID MT NM UT WY",
  "America/Phoenix": "AZ",
  "America/Los_Angeles": "CA NV OR WA",
  "America/Anchorage": "AK",
  "Pacific/Honolulu": "HI",
  "America/Puerto_Rico": "PR VI",
  "Pacific/Guam": "GU MP",
  "Pacific/Pago_Pago": "AS",
  "America/Toronto": "ON QC NU",
  "America/Winnipeg": "MB",
  "America/Regina": "SK",
  "America/Edmonton": "AB NT",
  "America/Vancouver": "BC",
  "America/Whitehorse": "YT",
  "America/Halifax": "NB NS PE",
  "America/St_Johns": "NL",
};

/** The other side of the line, by prefixes. */
const across: Record<string, Record<string, string>> = {
  "America/Chicago": {
    // The Panhandle; the north-west and south-west corners; the west of Kentucky.
    FL: "324 325",
    IN: "463 464 476 477",
    KY: "420 421 422 423 424",
  },
  "America/New_York": { TN: "373 374 376 377 378 379" },
  "America/Denver": { ND: "586", NE: "693", SD: "576 577", TX: "798 799 885", OR: "979" },
  "America/Los_Angeles": { ID: "835 838" },
};

const byState = new Map(
  Object.entries(zones).flatMap(([zone, states]) => states.split(" ").map((state) => [state, zone] as const)),
);
const byPrefix = new Map(
  Object.entries(across).flatMap(([zone, states]) =>
    Object.entries(states).flatMap(([state, prefixes]) =>
      prefixes.split(" ").map((prefix) => [`${state} ${prefix}`, zone] as const),
    ),
  ),
);
