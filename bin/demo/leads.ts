import { cities, kindWeights, streets, surnames, trades } from "./lead-parts.ts";
import { Random } from "./random.ts";
import type { SiteKind } from "./sites.ts";

/** A lead as POST /v1/leads takes it (services/intake/raw.ts). */
export type GeneratedLead = Record<string, unknown> & { source: string; sourceId?: string };

/**
 * What a generated row is there for:
 * - `fresh`: a business of its own. `bad_field`: the same, with an optional field that is none (dropped with a warning).
 * - `double`: an earlier business from another source, told otherwise, phone and name or address agreeing: merges.
 * - `namesake`: shares only its phone number, or only its name, with an earlier one: must not merge.
 * - `repeat`: an earlier row's source id again: the same lead, not a second one.
 * - `refused`: no name, or no way to reach or place it.
 */
export const labels = ["fresh", "bad_field", "double", "namesake", "repeat", "refused"] as const;
export type Label = (typeof labels)[number];

export interface LabelledLead {
  lead: GeneratedLead;
  label: Label;
  /** Source id of the earlier row that a double, namesake or repeat refers to. */
  of?: string;
}

export interface LeadsOptions {
  count?: number;
  seed?: string;
}

/** Local businesses, the same ones for the same seed, with the faults that real lists have. */
export function* generateLeads(options: LeadsOptions = {}): Generator<GeneratedLead> {
  for (const { lead } of labelledLeads(options)) yield lead;
}

/** How many rows of each label there are: what an import must come to. */
export function expectedOf(options: LeadsOptions = {}): Record<Label, number> & { rows: number } {
  const expected = { rows: 0, fresh: 0, bad_field: 0, double: 0, namesake: 0, repeat: 0, refused: 0 };
  for (const { label } of labelledLeads(options)) {
    expected.rows++;
    expected[label]++;
  }
  return expected;
}

export function* labelledLeads({ count = 2_000, seed = "leads" }: LeadsOptions = {}): Generator<LabelledLead> {
  const random = new Random(seed);
  /** The last of the fresh ones, each referred to at most once: chains of doubles are another matter. */
  const earlier: GeneratedLead[] = [];
  for (let n = 0; n < count; n++) {
    const chance = random.next();
    const known =
      chance < 0.09 && earlier.length > 20 ? earlier.splice(random.whole(0, earlier.length - 1), 1)[0] : undefined;
    if (known) {
      const of = known.sourceId!;
      if (chance < 0.05) yield { lead: toldOtherwise(known, n, random), label: "double", of };
      else if (chance < 0.08) yield { lead: namesake(known, n, random), label: "namesake", of };
      else yield { lead: { ...known, reviewCount: random.whole(1, 400) }, label: "repeat", of };
    } else if (chance > 0.985) {
      yield { lead: refused(n, random), label: "refused" };
    } else if (chance > 0.955) {
      yield { lead: withBadField(business(n, random), random), label: "bad_field" };
    } else {
      const lead = business(n, random);
      yield { lead, label: "fresh" };
      if (lead["phone"] !== undefined && lead["address"] !== undefined) earlier.push(lead);
      if (earlier.length > 500) earlier.shift();
    }
  }
}

function business(n: number, random: Random): GeneratedLead {
  const [vertical, nouns, categories] = random.pick(trades);
  const surname = random.pick(surnames);
  const name = random.pick([
    `${surname}'s ${random.pick(nouns)}`,
    `${surname} & Sons ${random.pick(nouns)}`,
    `${random.pick(["Lakeside", "Main Street", "Golden", "Oak Park", "Riverside", "Union"])} ${random.pick(nouns)}`,
  ]);
  const city = random.pick(cities);
  const slug = name
    .toLowerCase()
    .replace(/'/g, "")
    .replace(/[^a-z0-9]+/g, "-");
  const host = `${siteKind(random)}-${slug}-${n}.example`;
  const hasSite = random.chance(0.88);
  return {
    name,
    ...(random.chance(0.92) ? { phone: phone(n, city.areaCode, random) } : {}),
    ...(random.chance(0.55)
      ? { email: `${random.pick(["info", "contact", "office", surname.toLowerCase()])}@${host}` }
      : {}),
    ...(hasSite ? { website: random.pick([`http://www.${host}/`, `https://${host}`, host]) } : {}),
    address: address(city, random),
    vertical,
    ...(random.chance(0.6) ? { categories } : {}),
    ...(random.chance(0.7) ? { reviewCount: random.whole(0, 350), rating: random.whole(20, 50) / 10 } : {}),
    ...(random.chance(0.3) ? { employeeCount: random.whole(1, 60) } : {}),
    ...(random.chance(0.3) ? { foundedYear: random.whole(1950, 2024) } : {}),
    source: "demo",
    sourceId: `demo-${n}`,
  };
}

function siteKind(random: Random): SiteKind | "site" {
  let left = random.next() * kindWeights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of kindWeights) {
    left -= weight;
    if (left < 0) return kind;
  }
  return "site";
}

/** 555 numbers, which no subscriber has. One a row. */
function phone(n: number, areaCode: string, random: Random): string {
  const line = String((n + 100) % 10_000).padStart(4, "0");
  return random.pick([
    `(${areaCode}) 555-${line}`,
    `${areaCode}-555-${line}`,
    `+1 ${areaCode} 555 ${line}`,
    `${areaCode}555${line}`,
  ]);
}

function address(city: (typeof cities)[number], random: Random): unknown {
  const street = `${random.whole(100, 9899)} ${random.pick(streets)}`;
  return random.chance(0.6)
    ? { street, city: city.name, state: city.state, zip: city.zip, country: "US" }
    : `${street}, ${city.name}, ${city.state} ${city.zip}`;
}

/** As another list would have it: its own id, other spelling, other gaps; phone, name and address stay. */
function toldOtherwise(known: GeneratedLead, n: number, random: Random): GeneratedLead {
  const name = String(known["name"]);
  return {
    name: random.pick([name, name.toUpperCase(), `${name}, Inc.`, `${name} LLC`]),
    phone: String(known["phone"])
      .replace(/\D/g, "")
      .replace(/^1(?=\d{10}$)/, ""),
    address: known["address"],
    vertical: known["vertical"],
    ...(random.chance(0.5) && known["website"] !== undefined ? { website: known["website"] } : {}),
    reviewCount: random.whole(0, 350),
    source: "directory",
    sourceId: `dir-${n}`,
  };
}

/** The tenant next door on the same telephone, or a branch's name in another town. */
function namesake(known: GeneratedLead, n: number, random: Random): GeneratedLead {
  const other = business(n, random);
  return random.chance(0.5)
    ? {
        ...other,
        name: `${random.pick(["Zenith", "Quartz", "Juniper", "Cobalt"])} Storage ${n}`,
        phone: known["phone"],
        website: undefined,
        email: undefined,
      }
    : { ...other, name: known["name"], website: undefined, email: undefined };
}

function withBadField(lead: GeneratedLead, random: Random): GeneratedLead {
  return {
    ...lead,
    ...random.pick<Record<string, unknown>>([
      { website: "yes" },
      { email: "2019-04-01" },
      { email: "n/a@" },
      { phone: "123" },
      { rating: 11 },
      { reviewCount: "many" },
      { foundedYear: 3024 },
    ]),
  };
}

function refused(n: number, random: Random): GeneratedLead {
  const { name: _, ...nameless } = business(n, random);
  return random.chance(0.5)
    ? nameless
    : { name: `Unreachable ${n}`, vertical: "retail", source: "demo", sourceId: `demo-${n}` };
}
