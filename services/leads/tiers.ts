import type { ServiceBroker } from "moleculer";
import { type Resources, resourcesOf } from "../../mixins/resources.ts";
import { isTier, type Lead, lowestTier, type Tier } from "./lead.ts";
import { chosenTier } from "./tenants.sql.ts";

/** A tenant's choice is read again after this, ms. */
const freshMs = 10_000;

interface Known {
  tier: Promise<Tier>;
  readAt: number;
}
/** By process: tenant -> what it has chosen. A tenant is read once for all stages of the process. */
const known = new WeakMap<Resources, Map<string, Known>>();

/**
 * The tier of a lead: its own where it was told with one, else its tenant's, else 1. Taking in needs no database, so it
 * is resolved where a stage first needs it; that stage puts it on the lead, and the stages behind it find it there. A
 * choice that changes is seen within ten seconds. Throws the `OUTAGE` of postgres for a tenant of which nothing is known.
 */
export async function tierOf(broker: ServiceBroker, { tier, tenant }: Pick<Lead, "tier" | "tenant">): Promise<Tier> {
  return tier ?? tenantTier(broker, tenant);
}

/** What a tenant has chosen for leads that are told without a tier. */
export function tenantTier(broker: ServiceBroker, tenant: string): Promise<Tier> {
  const resources = resourcesOf(broker);
  const tenants = known.get(resources) ?? new Map<string, Known>();
  known.set(resources, tenants);
  const before = tenants.get(tenant);
  const now = Date.now();
  if (before && now - before.readAt < freshMs) return before.tier;
  const tier = chosenTier(resources.databases.of(tenant), tenant).then(
    (chosen) => (isTier(chosen) ? chosen : lowestTier),
    // With the database away the last word of the tenant holds.
    (error) => {
      if (tenants.get(tenant) === next) tenants.delete(tenant);
      if (before) return before.tier;
      throw error;
    },
  );
  const next: Known = { tier, readAt: now };
  tenants.set(tenant, next);
  return tier;
}
