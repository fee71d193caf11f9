import type { ServiceBroker } from "moleculer";
import type { NatsConnection } from "nats";
import { type Names, screenshotKey } from "../../config/names.ts";
import type { Publisher } from "../../mixins/actor/publisher.ts";
import { outage } from "../../mixins/errors.ts";
import { forgetEverywhere } from "../../mixins/forget.ts";
import { forgetLeads } from "../../mixins/idempotency.ts";
import { statement, transaction } from "../../mixins/knex.ts";
import { ObjectStore } from "../../mixins/object-store.ts";
import type { Resources } from "../../mixins/resources.ts";
import { eraseAnswers } from "../leads/answers.sql.ts";
import { eraseRecord } from "../leads/erase.sql.ts";
import { type Counts, countedAsTold, type Erasure, hold, notice, websitesOf } from "../leads/erasures.sql.ts";
import { sweep } from "./streams.ts";

/** What an eraser has to work with. */
export interface Hands {
  broker: ServiceBroker;
  resources: Resources;
  nc: NatsConnection;
  names: Names;
  publisher: Publisher;
  stages: readonly string[];
}

type Eraser = (erasure: Erasure, hands: Hands) => Promise<Counts>;

/**
 * Every place where something of a person may lie: another place is another line. An eraser is harmless when it runs
 * again, and throws `OUTAGE` when it cannot say that nothing is left. The streams come first, as their copies may tell of
 * contacts that the record does not know; the record was emptied when the erasure began, and is looked at again. Those that
 * take away leads throw `Lifted` where the erasure was lifted meanwhile: the person may have been told again.
 */
export const erasers: Record<string, Eraser> = {
  streams: async (erasure, { resources, nc, names, publisher, stages }) =>
    sweep({
      nc,
      names,
      publisher,
      stages,
      tenant: erasure.tenant,
      leadIds: erasure.leadIds,
      onCopies: (tellings) => notice(resources.databases.of(erasure.tenant), erasure, tellings),
    }),
  record: (erasure, { resources }) =>
    transaction(resources.databases.of(erasure.tenant), async (trx) => {
      await hold(trx, erasure);
      return eraseRecord(trx, erasure);
    }),
  pictures: async ({ tenant, leadIds }, { resources, names }) => {
    const store = new ObjectStore(resources.nats, names.objects.screenshots);
    let pictures = 0;
    for (const id of leadIds) if (await store.remove(screenshotKey(tenant, id))) pictures++;
    return { pictures };
  },
  ledger: async (erasure, { resources }) => ({
    answers: await eraseAnswers(resources.databases.of(erasure.tenant), erasure),
  }),
  idempotency: async (erasure, { nc, names }) => ({ idempotency: await forgetLeads(nc, names, erasure) }),
  caches: async (erasure, { broker, resources }) => {
    const knex = resources.databases.of(erasure.tenant);
    return { cached: await forgetEverywhere(broker, await statement(() => websitesOf(knex, erasure))) };
  },
  // They follow by themselves within seconds; here it is waited for. The last: nothing else waits where they cannot.
  figures: async ({ tenant, leadIds }, { broker, resources }) => {
    const knex = resources.databases.of(tenant);
    const figures = await statement(() => countedAsTold(knex, { tenant, leadIds }));
    if (figures > 0)
      await broker.call("analytics.recount", { tenant, leadIds }).catch((error) => {
        throw outage("analytics", error);
      });
    return { figures };
  },
};
