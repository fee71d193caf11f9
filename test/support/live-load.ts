import { setTimeout as delay } from "node:timers/promises";
import { createInbox } from "nats";
import { parkEnvelopes } from "../../mixins/actor/mover.ts";
import { Publisher } from "../../mixins/actor/publisher.ts";
import { openDatabase } from "../../mixins/knex.ts";
import { put } from "./actor.ts";
import { eventually } from "./eventually.ts";
import { postBulk, postLead, type TestGateway } from "./gateway.ts";
import { type Mailbox, signPlain } from "./mail.ts";
import type { HttpStub } from "./providers/http-stub.ts";
import { origin, someLeads } from "./stages.ts";

/** What the load works on, and what it did. */
export interface LiveLoad {
  gateway: TestGateway;
  secret: string;
  pagespeed: HttpStub;
  box: Mailbox;
  eventSecret: string;
}

let serial = 0;
/** A lead as a caller sends it, no two alike, whose e-mail goes to a domain of its own. */
const aRow = () => {
  const n = ++serial;
  return { name: `Bakery ${n} ${n * 7919}`, email: `owner@shop${n}.test`, source: "live", sourceId: String(n) };
};

/** Sends leads one by one and as a file; answers how many were accepted. */
export async function sendLeads({ gateway, secret }: LiveLoad, live: number, bulk: number): Promise<number> {
  const rows = Array.from({ length: bulk }, () => JSON.stringify(aRow())).join("\n");
  const [, file] = await Promise.all([
    Promise.all(Array.from({ length: live }, () => postLead(gateway, secret, aRow()))),
    bulk > 0 ? postBulk(gateway, secret, rows) : undefined,
  ]);
  return live + (file?.body.accepted ?? 0);
}

const ask = ({ gateway: { broker } }: LiveLoad, tenant: string, site: string) =>
  broker.call("pagespeed.facts", { tenant, url: `https://${site}/`, effect: site }, { retries: 0 }).then(
    () => true,
    () => false,
  );

/** Calls a provider as a stage would: well, and the same again (from the cache), in two strokes; then while it is down. */
export async function callProvider(load: LiveLoad, calls: number): Promise<void> {
  for (const half of [1, 2]) {
    const sites = Array.from({ length: calls / 2 }, () => `shop${++serial}.example`);
    for (const site of sites) await ask(load, "acme", site);
    await Promise.all(sites.map((site) => ask(load, "acme", site)));
    if (half === 1) await delay(2_000);
  }
  load.pagespeed.failure = "500";
  // More than have succeeded, but no more at once than its budget holds.
  for (let stroke = 0; stroke < 4; stroke++)
    await Promise.all(Array.from({ length: 8 }, () => ask(load, "other", `down${++serial}.example`)));
  load.pagespeed.failure = "none";
}

/** Calls it until its breaker has let one through. */
export async function closeBreaker(load: LiveLoad): Promise<void> {
  await eventually("the breaker closes", () => ask(load, "other", `up${++serial}.example`), {
    withinMs: 30_000,
    everyMs: 500,
  });
}

/** Leads that wait for a moment before a stage. */
export async function park({ gateway: { nats, names } }: LiveLoad, stage: string, forMs: number): Promise<void> {
  const publisher = new Publisher(nats);
  const until = Date.now() + forMs;
  const items = someLeads(5).map((lead, n) => ({ item: { lead }, until, seq: n + 1 }));
  const route = { ...origin(), lane: "bulk" as const };
  for (const { subject, envelope } of parkEnvelopes(names, stage, route, items))
    await publisher.publish(subject, envelope.data, envelope.headers, { full: "throw", timeoutMs: 5_000 });
  publisher.close();
}

/**
 * Holds the record's table for so long, and until `meanwhile` is through: statements on it run into their timeout, an outage
 * of PostgreSQL to the stages.
 */
export async function holdRecord(
  { gateway: { settings } }: LiveLoad,
  ms: number,
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  const knex = openDatabase({ ...settings, databasePool: 1, statementTimeoutMs: 60_000 });
  try {
    // A machine that is busy with other tests may take its time to let us in.
    await eventually("a connection", async () => (await knex.raw("select 1")).rows.length === 1, { withinMs: 60_000 });
    await knex.transaction(async (trx) => {
      await trx.raw("lock table leads in access exclusive mode");
      await Promise.all([delay(ms), meanwhile()]);
    });
  } finally {
    await knex.destroy();
  }
}

/** Messages that are no envelope: each becomes a dead letter. */
export async function sendForeign({ gateway: { nats, names } }: LiveLoad, stage: string, count: number): Promise<void> {
  const js = nats.jetstream();
  for (let n = 0; n < count; n++) await js.publish(names.mailbox(stage).subject("live"), `no envelope ${n}`);
}

/** A worker that takes envelopes and gives them back: they are delivered again. The stage must stand still meanwhile. */
export async function giveBack({ gateway }: LiveLoad, stage: string, count: number): Promise<void> {
  const { nats, names } = gateway;
  const { stream, consumer } = names.mailbox(stage);
  await put(gateway, stage, "live", someLeads(count));
  const inbox = createInbox();
  let given = 0;
  const sub = nats.subscribe(inbox, {
    callback: (_error, msg) => {
      if (!msg.reply) return;
      msg.respond("-NAK");
      given++;
    },
  });
  nats.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer("live")}`, `{"batch":${count},"no_wait":true}`, {
    reply: inbox,
  });
  await eventually("some were given back", () => given > 0);
  sub.unsubscribe();
}

/** What comes back of e-mails that were sent. */
export async function sendEvents({ gateway, box, eventSecret }: LiveLoad): Promise<void> {
  await eventually("e-mails were sent", () => box.received.length >= 6, { withinMs: 30_000 });
  const kinds = ["delivered", "hard_bounce", "complaint"];
  const events = box.received.slice(-6).map(({ messageId }, n) => ({
    ...{ id: `event-${++serial}`, messageId, kind: kinds[n % 3], at: Date.now(), attempt: 1 },
  }));
  const body = JSON.stringify({ events });
  const answer = await fetch(`${gateway.url}/v1/webhooks/email`, {
    method: "POST",
    headers: { "content-type": "application/json", "Leads-Signature": signPlain(body, eventSecret, Date.now()) },
    body,
  });
  if (!answer.ok) throw new Error(`events: ${answer.status} ${await answer.text()}`);
}
