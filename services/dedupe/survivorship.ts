import { isSharedDomain } from "../intake/shared-domains.ts";
import { type Lead, type LeadFields, trustLevels } from "../leads/lead.ts";

/** Where a value comes from. */
export interface Origin {
  /** 100 to 50, see `trustLevels`. */
  trust: number;
  source: string;
  leadId: string;
  /** When it was told, ms since 1970. */
  revision: number;
}

/** What is chosen together, under the name of its first field: a web site keeps its own domain, an address its parts. */
const groups = {
  name: ["name"],
  email: ["email", "emailRole", "emailDisposable"],
  phone: ["phone"],
  website: ["website", "domain"],
  address: ["address"],
  vertical: ["vertical"],
  categories: ["categories"],
  reviewCount: ["reviewCount", "rating"],
  employeeCount: ["employeeCount"],
  revenue: ["revenue"],
  foundedYear: ["foundedYear"],
  socialFollowers: ["socialFollowers"],
  multipleLocations: ["multipleLocations"],
} as const satisfies Record<string, readonly [keyof LeadFields, ...(keyof LeadFields)[]]>;
type Ungrouped = Exclude<keyof LeadFields, (typeof groups)[Group][number]>;
/** Does not compile when a field of the lead stands in no group: a merge would lose it. */
const allGrouped: [Ungrouped] extends [never] ? true : Ungrouped = true;
void allGrouped;

export type Group = keyof typeof groups;
const groupNames = Object.keys(groups) as Group[];
export type Origins = Partial<Record<Group, Origin>>;

/** Fields, and where each group of them comes from. */
export interface Told {
  fields: LeadFields;
  origins: Origins;
}

const has = (fields: LeadFields, group: Group) => groups[group].some((field) => fields[field] !== undefined);

/** What one telling of one lead says. */
export function toldBy(lead: Pick<Lead, "leadId" | "source" | "trust" | "revision" | "fields">): Told {
  const { leadId, source, revision, fields } = lead;
  return allFrom(fields, { trust: trustLevels[lead.trust], source, leadId, revision });
}

/** Fields that all come from one origin. */
export function allFrom(fields: LeadFields, origin: Origin): Told {
  const origins: Origins = {};
  for (const group of groupNames) if (has(fields, group)) origins[group] = origin;
  return { fields, origins };
}

/**
 * How much a value says, by group; only compared with its like. An address at a disposable mail service says least, a
 * role's less than a person's; a page at a site builder or a social network less than a site of its own.
 */
const completeness: Partial<Record<Group, (fields: LeadFields) => number>> = {
  name: ({ name }) => name.trim().length,
  email: ({ emailRole, emailDisposable }) => (emailDisposable ? 0 : emailRole ? 1 : 2),
  website: ({ domain, website }) =>
    (domain && !isSharedDomain(domain) ? 2 : 0) + (website?.startsWith("https:") ? 1 : 0),
  address: ({ address = {} }) =>
    Object.values(address).filter((part) => part).length * 1_000 + (address.street?.length ?? 0),
  reviewCount: ({ reviewCount, rating }) => (reviewCount === undefined ? 0 : 1) + (rating === undefined ? 0 : 1),
};

/** Does `a`'s value of the group stand before `b`'s? A total order, so that the result of a merge knows no order. */
function stands(group: Group, a: Told, b: Told): boolean {
  const [x, y] = [a.origins[group], b.origins[group]];
  if (!x || !y) return x !== undefined;
  if (x.trust !== y.trust) return x.trust > y.trust;
  const measure = completeness[group];
  const more = measure ? measure(a.fields) - measure(b.fields) : 0;
  if (more !== 0) return more > 0;
  if (x.revision !== y.revision) return x.revision > y.revision;
  return x.leadId <= y.leadId;
}

/**
 * What two tellings say together. Each group of fields from the more trusted, then the more complete, then the newer
 * (then the smaller lead id); lists are joined. Says the same for (a, b) and (b, a); returns `a` itself where it gains
 * nothing, so that nothing need be written.
 */
export function survive(a: Told, b: Told): Told {
  const fields: Record<string, unknown> = {};
  const origins: Origins = {};
  let gained = false;
  for (const group of groupNames) {
    const [first, second] = stands(group, a, b) ? [a, b] : [b, a];
    const origin = first.origins[group];
    if (!origin) continue;
    origins[group] = origin;
    if (first !== a) gained = true;
    for (const field of groups[group]) if (first.fields[field] !== undefined) fields[field] = first.fields[field];
    if (group !== "categories" || !second.origins.categories) continue;
    const joined = union(first.fields.categories!, second.fields.categories!);
    fields["categories"] = joined;
    if (joined.join("\n") !== a.fields.categories?.join("\n")) gained = true;
  }
  return gained ? { fields: fields as unknown as LeadFields, origins } : a;
}

/** A list's order carries no meaning, so that the joined one may stand in one that no order of merging changes. */
const union = (a: string[], b: string[]) => [...new Set([...a, ...b])].sort();

/**
 * A later telling of a lead that has taken fields of others: it speaks for all that was its own, so that what it leaves
 * out is gone; the others' values compete with it again.
 */
export function retold(before: Told, telling: Told, leadId: string): Told {
  return survive(
    without(before, (group) => before.origins[group]?.leadId === leadId),
    telling,
  );
}

/**
 * A later telling of a lead that was merged, for its winner: it replaces the values that the winner has from this lead.
 * A group that it leaves out stays: the winner's own value, which stood behind, is not known any more.
 */
export function retoldForWinner(winner: Told, telling: Told, leadId: string): Told {
  const replaced = (group: Group) => winner.origins[group]?.leadId === leadId && telling.origins[group] !== undefined;
  return survive(without(winner, replaced), telling);
}

function without(told: Told, drop: (group: Group) => boolean): Told {
  if (!groupNames.some((group) => told.origins[group] && drop(group))) return told;
  const fields: Record<string, unknown> = { ...told.fields };
  const origins: Origins = { ...told.origins };
  for (const group of groupNames) {
    if (!drop(group)) continue;
    delete origins[group];
    for (const field of groups[group]) delete fields[field];
  }
  return { fields: fields as unknown as LeadFields, origins };
}

/** As the column `provenance` holds it: nothing while all fields are the lead's own telling. */
export function provenanceOf(told: Told, own: { leadId: string; revision: number }): Origins {
  const foreign = Object.values(told.origins).some((o) => o.leadId !== own.leadId || o.revision !== own.revision);
  return foreign ? told.origins : {};
}
