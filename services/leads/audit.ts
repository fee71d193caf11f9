import { setTimeout as delay } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { type Names, tenantPattern } from "../../config/names.ts";
import { pipeline } from "../../config/pipeline.ts";
import type { Settings } from "../../config/settings.ts";
import { Databases } from "../../mixins/knex.ts";
import { fingerprint, type Stored, scan, streamNames } from "../../mixins/scan.ts";
import { AuditTables, type Found, type PlaceFound, type Term, type terms } from "./audit.sql.ts";
import { deadLead, holdsLeads } from "./dead-letter.ts";
import { readAccepted } from "./recorder.ts";
import { isUuid, leadsNamedIn } from "./row.ts";

export type Tally = Record<(typeof terms)[number] | "accepted", number> & {
  /** No lead is broken, so the terms add up to what was accepted. */
  ok: boolean;
  /** Ids of accepted leads that are nowhere, or not where their state says. */
  broken: string[];
};
export type Audit = Tally & { tenants: Record<string, Tally> };

export interface AuditOptions {
  nats: NatsConnection;
  names: Names;
  settings: Settings;
  /** Only this tenant's leads. */
  tenant?: string;
  /** Leads that somebody was told are accepted, to be held against the rest. Where no tenant is known, the record's is taken. */
  accepted?: Iterable<{ leadId: string; tenant?: string }> | AsyncIterable<{ leadId: string; tenant?: string }>;
}

/** Ids sent to the database at once. */
const batchIds = 10_000;
/** Broken ids that are told by name. */
const namedBroken = 100_000;
/** Looks at leads that seem broken while the mesh moves: each is a scan of all streams. */
const maxLooks = 8;
const firstRestMs = 100;
/** Statements of an audit read whole tables. */
const statementTimeoutMs = 600_000;

/**
 * Proves conservation: every lead that was accepted has ended, is dead with its dead letter, or is in some stream.
 * Works with the mesh up or down, takes nothing from it, and holds a bounded part of the ids in memory.
 *
 * Streams are read in the order leads move, then the record, so that a lead that moves on is met later, not missed; one
 * that moved back (a retry) can be. So what seems broken is looked for again until nothing moved during a look.
 */
export async function audit(options: AuditOptions): Promise<Audit> {
  const databases = new Databases({ ...options.settings, databasePool: 1, statementTimeoutMs });
  const opened = new Map<unknown, AuditTables>();
  try {
    for (const { knex } of databases.all()) opened.set(knex, await AuditTables.open(knex));
    const tables = [...opened.values()];
    const sink = async (found: Found[]) => {
      for (const { knex, things } of databases.group(found, (f) => f.tenant)) await opened.get(knex)!.add(things);
    };
    await takeAccepted(options, sink);
    await look(options, sink, tables, (table) => table.judge(options.tenant));
    return await report(tables);
  } finally {
    await Promise.allSettled([...opened.values()].map((tables) => tables.close()));
    await databases.close();
  }
}

type Sink = (found: Found[]) => Promise<void>;

async function look(
  options: AuditOptions,
  sink: Sink,
  tables: AuditTables[],
  judge: (t: AuditTables) => Promise<void>,
) {
  const { nats, names } = options;
  for (let looks = 1; ; looks++) {
    const streams = await streamsInOrder(nats, names);
    const before = await fingerprint(nats, streams);
    for (const stream of streams) await take(options, stream, sink);
    let broken = 0;
    for (const table of tables) {
      await table.resolveTenants();
      if (looks === 1) await judge(table);
      broken += await (looks === 1 ? table.countBroken() : table.judgeBroken());
    }
    if (broken === 0 || looks === maxLooks) return;
    if (before === (await fingerprint(nats, await streamsInOrder(nats, names)))) return;
    await delay(firstRestMs * looks);
    for (const table of tables) await table.forget();
  }
}

/** The accepted stream first, then the ways of leads from the intake on, the parked, the dead letters. */
async function streamsInOrder(nats: NatsConnection, names: Names): Promise<string[]> {
  const stages = pipeline.map(({ name }) => names.mailbox(name).stream);
  const last = [names.park.stream, names.dead.stream];
  const rank = (stream: string) => {
    if (stream === names.accepted.stream) return 0;
    if (stream === names.intake.stream) return 1;
    if (last.includes(stream)) return 1_000 + last.indexOf(stream);
    // A stage that is no longer in the pipeline may still hold leads: -1, before the others.
    return 3 + stages.indexOf(stream);
  };
  const found = await streamNames(nats, names.streams);
  return found
    .filter((stream) => !names.leadless.includes(stream) && holdsLeads(stream.slice(names.streams.length)))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

async function take({ nats, names, tenant }: AuditOptions, stream: string, sink: Sink): Promise<void> {
  const read = readerOf(stream, names);
  let found: Found[] = [];
  for await (const batch of scan(nats, stream)) {
    for (const message of batch) {
      for (const one of read(message)) if (tenant === undefined || ["", tenant].includes(one.tenant)) found.push(one);
    }
    if (found.length >= batchIds) {
      await sink(found);
      found = [];
    }
  }
  if (found.length > 0) await sink(found);
}

async function takeAccepted({ accepted = [], tenant }: AuditOptions, sink: Sink): Promise<void> {
  let found: Found[] = [];
  for await (const { leadId, tenant: of = tenant ?? "" } of accepted) {
    found.push({ tenant: of, leadId, place: "accepted" });
    if (found.length < batchIds) continue;
    await sink(found);
    found = [];
  }
  if (found.length > 0) await sink(found);
}

/** What the messages of a stream say of leads; of a message that is none of ours, nothing. */
function readerOf(stream: string, names: Names): (message: Pick<Stored, "subject" | "data">) => Found[] {
  if (stream === names.accepted.stream) {
    return ({ subject, data }) =>
      (readAccepted({ subject, data, headers: undefined, storedAt: 0 }) ?? []).map(({ tenant, leadId }) => ({
        tenant,
        leadId,
        place: "accepted",
      }));
  }
  if (stream === names.dead.stream) {
    return ({ data }) => {
      const letter = deadLead(data);
      if (letter.kind === "foreign") return namedIn(data);
      if (letter.kind !== "lead") return [];
      const { tenant, lead_id: leadId, revision } = letter.row;
      return [{ tenant, leadId, place: "dead", revision }];
    };
  }
  if (stream === names.park.stream) {
    // <prefix>.park.<wait|due>.<stage>.…
    return ({ subject, data }) => (holdsLeads(subject.split(".")[3] ?? "") ? envelope(data, "flight") : []);
  }
  return ({ data }) => envelope(data, "flight");
}

const decoder = new TextDecoder();

function envelope(data: Uint8Array, place: PlaceFound): Found[] {
  let items: unknown;
  try {
    items = JSON.parse(decoder.decode(data))?.items;
  } catch {
    return [];
  }
  if (!Array.isArray(items)) return [];
  return items.flatMap((item) => {
    const { leadId, tenant } = (item?.lead ?? {}) as { leadId?: unknown; tenant?: unknown };
    return isUuid(leadId) && typeof tenant === "string" && tenantPattern.test(tenant)
      ? [{ tenant, leadId, place }]
      : [];
  });
}

/** The leads that the beginning of an unreadable message names, of whichever tenant they are: they died with it. */
function namedIn(letter: Uint8Array): Found[] {
  let raw: unknown;
  try {
    raw = JSON.parse(decoder.decode(letter))?.raw;
  } catch {
    return [];
  }
  return leadsNamedIn(String(raw)).map((leadId) => ({ tenant: "", leadId, place: "dead" }));
}

const emptyTally = (): Tally => ({
  accepted: 0,
  completed: 0,
  merged: 0,
  rejected: 0,
  dead: 0,
  discarded: 0,
  erased: 0,
  inFlight: 0,
  ok: true,
  broken: [],
});

async function report(tables: AuditTables[]): Promise<Audit> {
  const all = emptyTally();
  const tenants = new Map<string, Tally>();
  const tallyOf = (tenant: string) => {
    const tally = tenants.get(tenant) ?? emptyTally();
    tenants.set(tenant, tally);
    return tally;
  };
  const add = (tally: Tally, term: Term, count: number) => {
    tally.accepted += count;
    if (term === "broken") tally.ok = false;
    else tally[term] += count;
  };
  for (const table of tables) {
    for (const { tenant, term, count } of await table.counts()) {
      add(all, term, count);
      add(tallyOf(tenant), term, count);
    }
    for (const { tenant, leadId } of await table.broken(namedBroken)) {
      all.broken.push(leadId);
      tallyOf(tenant).broken.push(leadId);
    }
  }
  return { ...all, tenants: Object.fromEntries(tenants) };
}
