import { pausedStages } from "../../mixins/control.ts";
import { jsApi } from "../../mixins/jetstream.ts";
import type { Resources } from "../../mixins/resources.ts";
import type { Check } from "./readiness.ts";

/** What must work for leads to be taken in; the rest is looked at and told. */
export const needed = ["nats", "jetstream", "mailbox", "keys"] as const;

/** A look that takes longer than this has failed, ms. */
const patienceMs = 1_000;

export interface Looks {
  checks: Record<string, Check>;
  paused: Set<string>;
}

/** Looks at everything that the gateway or the stages stand on, all at once. Never throws, takes a second at the most. */
export async function look(resources: Resources, edge: { keysRead: boolean; rateShared: boolean }): Promise<Looks> {
  const { names, settings, flow, databases } = resources;
  const paused = new Set<string>();
  const connected = resources.nats();
  const looks: Record<string, Promise<string | undefined>> = {
    nats: connected.then(async (nc) => void (await nc.rtt())),
    jetstream: connected.then(async (nc) => void (await jsApi(nc, "INFO", {}, patienceMs))),
    mailbox: connected.then(async (nc) => {
      const { stream, subject } = names.mailbox(flow[0]!.name);
      const { state, config } = await jsApi(
        nc,
        `STREAM.INFO.${stream}`,
        { subjects_filter: subject("live") },
        patienceMs,
      );
      await jsApi(nc, `STREAM.INFO.${names.accepted.stream}`, {}, patienceMs);
      const waiting: number = state.subjects?.[subject("live")] ?? 0;
      if (config.max_msgs_per_subject > 0 && waiting >= config.max_msgs_per_subject)
        throw new Error("the mailbox is full");
      return undefined;
    }),
    keys: edge.keysRead ? Promise.resolve(undefined) : Promise.reject(new Error("the API keys have not been read")),
    stages: connected.then(async (nc) => {
      for (const stage of Object.keys(await pausedStages(nc, names))) paused.add(stage);
      return undefined;
    }),
    postgres: databases.ping().then(() => undefined),
    redis:
      settings.redisUrl === ""
        ? Promise.resolve("none is configured: rates are limited by each gateway for itself")
        : edge.rateShared
          ? Promise.resolve(undefined)
          : Promise.reject(new Error("rates are limited by each gateway for itself")),
  };
  const checks: Record<string, Check> = {};
  await Promise.all(
    Object.entries(looks).map(async ([name, looked]) => {
      checks[name] = await withinPatience(looked).then(
        (detail) => (detail === undefined ? { ok: true } : { ok: true, detail }),
        // Its own words may name hosts and addresses, and anybody may ask: the log has them.
        (error: Error) => ({
          ok: false,
          detail: /^(the|rates|no answer)\b/.test(error.message) ? error.message : "does not answer",
        }),
      );
    }),
  );
  // Written to the record by its own checks: the order of the answer is that of the table above.
  return { checks: Object.fromEntries(Object.keys(looks).map((name) => [name, checks[name]!])), paused };
}

function withinPatience<T>(promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${patienceMs} ms`)), patienceMs);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}
