import type { Service } from "moleculer";
import { isOutage } from "../../mixins/actor/outage.ts";
import { LeadsError, outage } from "../../mixins/errors.ts";
import { goesWithout } from "../../mixins/provider.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { isSharedDomain } from "../intake/shared-domains.ts";
import type { Facts, Lead, PageSpeedFacts, ScreenshotFacts, SemrushFacts, SiteFacts } from "../leads/lead.ts";

/** What is asked of others about a lead's site, by its tier. */
export type Looked = Pick<Facts, "pagespeed" | "screenshot" | "semrush">;

/** How long a lead waits for one that is down, ms, give or take a half. */
const downWaitMs = 60_000;

/** What all of them say where nothing may be fetched. */
export function notLooked({ tier = 1 }: Pick<Lead, "tier">): Looked {
  const off = { status: "off", reason: "fetch_off" } as const;
  return { pagespeed: off, ...(tier < 2 ? {} : { screenshot: off }), ...(tier < 3 ? {} : { semrush: off }) };
}

/**
 * Asks PageSpeed, from tier 2 on for a picture too, in tier 3 SEMrush too, all at once. A site that we could not read
 * ourselves is not looked at: neither can they. Throws what the lead must wait for, an outage before all else; what was
 * answered meanwhile is kept, and costs nothing when the lead comes again.
 */
export async function lookAt(service: Service, lead: Lead, site: SiteFacts): Promise<Looked> {
  const { tier = 1 } = lead;
  const [pagespeed, screenshot, semrush] = await Promise.allSettled([
    speedOf(service, lead, site),
    tier < 2 ? undefined : pictureOf(service, lead, site),
    tier < 3 ? undefined : standingOf(service, lead, site),
  ]);
  const failures = [pagespeed, screenshot, semrush].flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  if (failures.length > 0) throw failures.find(isOutage) ?? failures[0];
  const [speed, picture, standing] = [fulfilled(pagespeed), fulfilled(screenshot), fulfilled(semrush)];
  return {
    pagespeed: speed!,
    ...(picture === undefined ? {} : { screenshot: picture }),
    ...(standing === undefined ? {} : { semrush: standing }),
  };
}

const fulfilled = <T>(one: PromiseSettledResult<T>): T | undefined =>
  one.status === "fulfilled" ? one.value : undefined;

/** The site's measurement. */
async function speedOf(service: Service, lead: Lead, site: SiteFacts): Promise<PageSpeedFacts> {
  if (site.status !== "ok") return { status: "not_measured", reason: site.reason ?? site.status };
  const { pagespeedKey } = resourcesOf(service.broker).settings;
  return ask<PageSpeedFacts>(service, lead, pagespeedKey, "pagespeed.facts", { url: lead.fields.website }).catch(
    (error) => withoutIt("pagespeed", error, (reason) => ({ status: "not_measured", reason })),
  );
}

/** The picture of the site, taken into the object store. */
async function pictureOf(service: Service, lead: Lead, site: SiteFacts): Promise<ScreenshotFacts> {
  if (site.status !== "ok") return { status: "not_taken", reason: site.reason ?? site.status };
  const { screenshotKey } = resourcesOf(service.broker).settings;
  return ask<ScreenshotFacts>(service, lead, screenshotKey, "screenshot.take", {
    url: lead.fields.website,
  }).catch((error) => withoutIt("screenshot", error, (reason) => ({ status: "not_taken", reason })));
}

/** How the lead's own domain stands with search engines and other sites. */
async function standingOf(service: Service, lead: Lead, site: SiteFacts): Promise<SemrushFacts> {
  const { domain, address } = lead.fields;
  if (site.status !== "ok") return { status: "not_asked", reason: site.reason ?? site.status };
  // An address of numbers is no domain, and a profile on a platform would be told of as the platform.
  if (domain === undefined || !/\.[a-z][a-z0-9-]*$/.test(domain) || isSharedDomain(domain))
    return { status: "not_asked", reason: "no_domain" };
  const { semrushKey, defaultRegion } = resourcesOf(service.broker).settings;
  const about = { domain, country: address?.country ?? defaultRegion };
  return ask<SemrushFacts>(service, lead, semrushKey, "semrush.facts", about).catch((error) =>
    withoutIt("semrush", error, (reason) => ({ status: "not_asked", reason })),
  );
}

type Answered = { status?: "ok" | "failed" | "off" | undefined; reason?: string };

/** One provider's answer; being off, and its refusal, are answers too. No call a lead for an answer that is known. */
async function ask<F extends object>(
  { broker }: Service,
  { tenant, leadId, revision }: Lead,
  key: string,
  action: `${string}.${string}`,
  about: object,
): Promise<F> {
  const off: Answered = { status: "off", reason: "no_key" };
  if (key === "") return off as F;
  try {
    const order = { tenant, leadId, effect: `${leadId} ${revision}`, ...about };
    return await broker.call<F, object>(action, order);
  } catch (error) {
    const { type, data } = error as { type?: string; data?: { reason?: string } };
    if (type === "PROVIDER_OFF") return off as F;
    if (type === "PROVIDER_REFUSED") return { status: "failed", reason: data?.reason ?? "refused" } as F;
    // One of Moleculer's own names no dependency.
    throw isOutage(error) && type !== "OUTAGE" ? outage(action.split(".")[0]!, error) : error;
  }
}

/**
 * What is done without, as facts say: what may not be paid, or asked for today, where the lead's tenant chose that; and what
 * is not essential and was paid for in vain, rather than pay again and again for an answer that cannot be read. Throws what
 * the lead waits for or ends by; a provider that is down and not essential as a wait of this lead's alone: leads of lower
 * tiers, and other tenants', have no need of it and go on.
 */
function withoutIt<F>(provider: string, error: unknown, facts: (reason: string) => F): F {
  const reason = goesWithout(error);
  if (reason !== null) return facts(reason);
  const { type, data, message } = error as {
    type?: string;
    data?: { dependency?: string; reason?: string };
    message: string;
  };
  if (provider === "pagespeed" || type !== "OUTAGE" || data?.dependency !== provider) throw error;
  if (data.reason === "unreadable") return facts("unreadable");
  const until = Date.now() + downWaitMs * (0.5 + Math.random());
  throw new LeadsError("PROVIDER_LATER", message, { provider, until });
}
