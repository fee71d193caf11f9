import type { Cachers, ServiceBroker } from "moleculer";

/** What a provider's action `<service>.forget` is told: web sites whose facts must be kept nowhere any longer. */
export interface ForgetParams {
  websites: string[];
}
export const forgetParams = {
  websites: { type: "array", max: 1_000, items: { type: "string", max: 2_048 } },
} as const;

/**
 * Takes answers out of the cache of this process, or out of the Redis that all share; returns how many were there. Not
 * the cacher's own `del`, of which a fault is a miss: throws `OUTAGE` of redis when it cannot be said that they are gone.
 */
export async function forget(broker: ServiceBroker, wanted: readonly (string | undefined)[]): Promise<number> {
  const cacher = broker.cacher as
    | (Cachers.Base<object> & { forget?(keys: readonly string[]): Promise<number> })
    | undefined;
  const keys = wanted.filter((key) => key !== undefined);
  if (!cacher || keys.length === 0) return 0;
  if (cacher.forget) return cacher.forget(keys);
  let found = 0;
  for (const key of keys) {
    if ((await cacher.get(key)) != null) found++;
    await cacher.del(key);
  }
  return found;
}

/**
 * Under which key Moleculer's cacher keeps an action's answer. `params`: those that its `cache.keys` names, in their
 * order. Undefined where nothing is cached.
 */
export function cacheKeyOf(broker: ServiceBroker, action: string, params: Record<string, string>): string | undefined {
  return broker.cacher?.getCacheKey(
    { name: action } as never,
    { keys: Object.keys(params) } as never,
    { params } as never,
  );
}

/** Asks every service that keeps such facts, on every node, to forget them. Throws what the first one throws. */
export async function forgetEverywhere(broker: ServiceBroker, websites: string[]): Promise<number> {
  if (websites.length === 0) return 0;
  const actions = await broker.call<{ name: string; endpoints?: { nodeID: string }[] }[], object>("$node.actions", {
    onlyAvailable: true,
    withEndpoints: true,
  });
  const places = actions
    .filter(({ name }) => name.endsWith(".forget"))
    .flatMap(({ name, endpoints = [] }) => endpoints.map(({ nodeID }) => ({ name, nodeID })));
  const counts = await Promise.all(
    places.map(({ name, nodeID }) => broker.call<number, ForgetParams>(name, { websites }, { nodeID })),
  );
  return counts.reduce((sum, n) => sum + n, 0);
}
