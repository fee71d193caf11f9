import type { Lead } from "../leads/lead.ts";

/**
 * A fast site, made for phones, with tap targets that fingers hit: there is nothing to sell. All three must be known,
 * as PageSpeed measured them.
 */
export function isModernSite({ facts: { pagespeed, site } }: Lead): boolean {
  const viewport = pagespeed?.viewport ?? site?.viewport;
  return (pagespeed?.performance ?? 0) >= 90 && viewport === true && (pagespeed?.tapTargets ?? 0) >= 0.9;
}
