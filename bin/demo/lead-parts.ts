import type { SiteKind } from "./sites.ts";

export const cities = [
  { name: "Chicago", state: "IL", zip: "60614", areaCode: "312" },
  { name: "Chicago", state: "IL", zip: "60657", areaCode: "773" },
  { name: "New York", state: "NY", zip: "10011", areaCode: "212" },
  { name: "Brooklyn", state: "NY", zip: "11215", areaCode: "718" },
  { name: "San Francisco", state: "CA", zip: "94110", areaCode: "415" },
  { name: "Los Angeles", state: "CA", zip: "90026", areaCode: "213" },
  { name: "Seattle", state: "WA", zip: "98103", areaCode: "206" },
  { name: "Portland", state: "OR", zip: "97214", areaCode: "503" },
  { name: "Denver", state: "CO", zip: "80205", areaCode: "303" },
  { name: "Austin", state: "TX", zip: "78704", areaCode: "512" },
  { name: "Houston", state: "TX", zip: "77006", areaCode: "713" },
  { name: "Boston", state: "MA", zip: "02116", areaCode: "617" },
  { name: "Atlanta", state: "GA", zip: "30307", areaCode: "404" },
  { name: "Miami", state: "FL", zip: "33137", areaCode: "305" },
  { name: "Phoenix", state: "AZ", zip: "85016", areaCode: "602" },
  { name: "Minneapolis", state: "MN", zip: "55408", areaCode: "612" },
  { name: "Milwaukee", state: "WI", zip: "53202", areaCode: "414" },
  { name: "Detroit", state: "MI", zip: "48226", areaCode: "313" },
  { name: "Cleveland", state: "OH", zip: "44113", areaCode: "216" },
  { name: "Philadelphia", state: "PA", zip: "19147", areaCode: "215" },
] as const;

export const streets = [
  "N Main St",
  "Oak Ave",
  "W Division St",
  "Maple Dr",
  "2nd Ave",
  "E 14th St",
  "Washington Blvd",
  "Lincoln Ave",
  "Cherry Ln",
  "Market St",
  "Elm St",
  "S Western Ave",
  "Park Pl",
  "Sunset Blvd",
] as const;

export const surnames =
  "Miller Garcia Nguyen Kowalski Rossi Johnson Patel Kim Schmidt Okafor Silva Cohen Andersson Murphy Haddad Tanaka Brown Novak Dubois Lopez Walker Petrov Chen Baker Fischer Costa Ali Reyes Larsen Moreau".split(
    " ",
  );

/** vertical, nouns of its businesses, categories */
export const trades: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["restaurant", ["Kitchen", "Diner", "Trattoria", "Grill"], ["restaurants", "food"]],
  ["bakery", ["Bakery", "Bread Co", "Patisserie"], ["bakeries", "food"]],
  ["dentist", ["Dental Care", "Family Dentistry"], ["dentists", "health"]],
  ["plumber", ["Plumbing", "Plumbing & Heating"], ["plumbing", "home services"]],
  ["electrician", ["Electric", "Electrical Services"], ["electricians", "home services"]],
  ["roofing", ["Roofing", "Roof & Gutter"], ["roofing", "contractors"]],
  ["auto-repair", ["Auto Repair", "Garage", "Motors"], ["auto repair"]],
  ["salon", ["Hair Salon", "Barber Shop", "Beauty Studio"], ["hair salons", "beauty"]],
  ["law-firm", ["Law Office", "Legal Group"], ["lawyers"]],
  ["veterinarian", ["Animal Hospital", "Pet Clinic"], ["veterinarians", "pets"]],
  ["gym", ["Fitness", "Boxing Gym", "Yoga"], ["gyms"]],
  ["florist", ["Flowers", "Florist"], ["florists", "gifts"]],
  ["landscaping", ["Landscaping", "Lawn & Garden"], ["landscaping"]],
  ["daycare", ["Child Care", "Learning Center"], ["child care", "education"]],
];

/** How often each kind of site is played, in parts of a thousand. The slow and the large ones are rare: each takes seconds. */
export const kindWeights: readonly (readonly [SiteKind | "site", number])[] = [
  ["modern", 300],
  ["dated", 380],
  ["site", 120],
  ["latin", 15],
  ["cp1252", 15],
  ["utf16", 10],
  ["gzip", 30],
  ["broken", 25],
  ["empty", 8],
  ["moved", 25],
  ["robots", 12],
  ["missing", 15],
  ["failing", 10],
  ["down", 12],
  ["pdf", 4],
  ["loop", 4],
  ["inner", 4],
  ["slow", 5],
  ["endless", 2],
  ["bomb", 2],
  ["drip", 2],
];
