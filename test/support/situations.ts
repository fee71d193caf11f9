import { setTimeout as delay } from "node:timers/promises";
import type { StageConfig } from "../../config/pipeline.ts";
import { isOutage } from "../../mixins/actor/outage.ts";
import { forward } from "../../mixins/actor/outcome.ts";
import { outage } from "../../mixins/errors.ts";
import { openDatabase, transaction } from "../../mixins/knex.ts";
import { nodeService } from "../../mixins/node.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { insertAcceptances } from "../../services/leads/leads.sql.ts";
import { put } from "./actor.ts";
import { eventually } from "./eventually.ts";
import { startMesh, type TestMesh } from "./mesh.ts";
import { quick, stage } from "./stages.ts";

/** The product's stages, each with something that can be the matter with it; the console knows them by these names. */
export const flow: readonly StageConfig[] = [
  { name: "enrich", ...quick },
  { name: "dedupe", ...quick },
  { name: "score", ...quick, batchLeads: 1, concurrency: 4 },
  // Little in hand, so that those who come to help find work.
  { name: "mockup", ...quick, batchLeads: 1, concurrency: 1, ackWaitMs: 10_000 },
  { name: "email", ...quick },
];

/** What a slow stage takes for a lead, ms: two and a half a second. */
const slowMs = 400;

type Place = Pick<TestMesh, "settings" | "names">;

/** A process's place: a broker of its own, with its own connections, and the service that `drain` asks. */
async function nodeOf(place: Place, service: ReturnType<typeof stage>, env: Record<string, string> = {}) {
  let node: TestMesh;
  const leave = nodeService(() => void node.stop());
  node = await startMesh({ place, flow, env, services: [service, leave] });
  return node;
}

/** Asks PageSpeed about each lead, as the product's stage does. */
const enrich = (place: Place) =>
  nodeOf(
    place,
    stage("enrich", {
      async handle(batch) {
        for (const { lead } of batch) {
          if (lead.fields.website === undefined) continue;
          const order = { tenant: lead.tenant, url: lead.fields.website, effect: lead.leadId };
          await this.broker.call("pagespeed.facts", order).catch((error) => {
            throw isOutage(error) ? outage("pagespeed", error) : error;
          });
        }
        return batch.map(({ lead }) => forward(lead));
      },
    }),
    { LEADS_PROBE_MIN_MS: "200", LEADS_PROBE_MAX_MS: "2000" },
  );

/** Looks at its ears so rarely that it does not mend them itself. */
const dedupe = (place: Place) => nodeOf(place, stage("dedupe"), { LEADS_WATCHDOG_MS: "600000" });

/** The server forgets what a worker listens to, and the worker does not know: it lives, says so, and receives nothing. */
export function deafen({ nats }: TestMesh): void {
  const { protocol } = nats as unknown as {
    protocol: {
      subscriptions: { subs: Map<number, { sid: number }>; getMux(): { sid: number } | null };
      sendCommand(command: string): void;
    };
  };
  const { subs, getMux } = protocol.subscriptions;
  const mux = getMux.call(protocol.subscriptions);
  for (const { sid } of subs.values()) if (sid !== mux?.sid) protocol.sendCommand(`UNSUB ${sid}\r\n`);
}

/** Reads nothing for a lead that is called Poison; writes under a lock of the database, through a pool of two. */
const score = (place: Place) =>
  nodeOf(
    place,
    stage("score", {
      handle: (batch) => {
        if (batch.some(({ lead }) => lead.fields.name === "Poison"))
          throw Object.assign(new TypeError("its words cannot be read"), { retryable: false });
        return batch.map(({ lead }) => forward(lead));
      },
      async checkpoint() {
        await transaction(resourcesOf(this.broker).databases.of("acme"), (trx) => trx.raw(lockOfScore));
      },
    }),
    { LEADS_DATABASE_POOL: "2", LEADS_STATEMENT_TIMEOUT_MS: "60000" },
  );

const lockOfScore = "select shard from shards where shard = 0 for update";

/** A session of the database that takes a lock and sits on it. Resolves when it has it; dispose: it is gone, if it is not yet. */
export async function sitOnLock({ settings }: Place): Promise<AsyncDisposable> {
  const knex = openDatabase({ ...settings, databasePool: 1, statementTimeoutMs: 600_000 });
  const held = Promise.withResolvers<void>();
  const sitting = knex
    .transaction(async (trx) => {
      await trx.raw(lockOfScore);
      held.resolve();
      await trx.raw("select pg_sleep(600)");
    })
    .catch((error) => held.reject(error));
  await held.promise;
  return {
    async [Symbol.asyncDispose]() {
      await Promise.race([sitting, delay(100)]);
      await knex.destroy();
    },
  };
}

/** Takes its time with every lead. */
const mockup = (place: Place) => {
  let turn = Promise.resolve();
  return nodeOf(
    place,
    stage("mockup", {
      async handle(batch) {
        turn = turn.then(() => delay(slowMs * batch.length));
        await turn;
        return batch.map(({ lead }) => forward(lead));
      },
    }),
  );
};

const email = (place: Place) => nodeOf(place, stage("email"));

/** Each stage as a process of its own; as many of one as are started. */
export const workers = { enrich, dedupe, score, mockup, email };

/** Leads that were accepted, and stand in a stage's live mailbox. */
export async function place(mesh: TestMesh, stageName: string, leads: readonly Lead[]): Promise<void> {
  const knex = mesh.resources.databases.of("acme");
  const acceptedAt = Date.now();
  await insertAcceptances(
    knex,
    leads.map(({ tenant, leadId }) => ({ tenant, leadId, acceptedAt, importId: null })),
  );
  await put(mesh, stageName, "live", leads);
}

/** Resolves when an instance of the stage has told of itself. */
export function told(mesh: TestMesh, stageName: string): Promise<unknown> {
  return eventually(`${stageName} is there`, async () => {
    const { stages } = await mesh.broker.call<{ stages: { name: string; instances: object[] }[] }>("operations.stages");
    return stages.find(({ name }) => name === stageName)!.instances.length > 0;
  });
}
