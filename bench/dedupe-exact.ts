/**
 * What the dedupe transaction costs a lead: database and driver, one connection, batches of 250, seven keys a lead
 * (source, and phone, e-mail and domain each with name and address), over a table that holds leads already.
 *
 * Measured on two shared cores, PostgreSQL 18.4 without fsync: record alone 63 to 68 us, no doubles 141, of which seven
 * keys are 73 to 80 (about 10 a key, 240 bytes of WAL each); three in ten doubles 270 to 310; repeats 230.
 */
import { createHash } from "node:crypto";
import { openDatabase, transaction } from "../mixins/knex.ts";
import { settleBatch } from "../services/dedupe/settle.sql.ts";
import type { Lead } from "../services/leads/lead.ts";
import { insertLeads } from "../services/leads/record.ts";

const batchLeads = 250;
const bench = "dedupe-exact";

interface Row {
  bench: string;
  figure: string;
  unit: string;
  value: number;
  goal: number | null;
  holds: boolean | null;
}

/** Needs a migrated database of its own; leaves its leads there. */
export async function run({ databaseUrl, batches = 80 }: { databaseUrl: string; batches?: number }): Promise<Row[]> {
  const knex = openDatabase({ databaseUrl, databasePool: 1, statementTimeoutMs: 60_000 });
  try {
    let made = 0;
    const fresh = () => Array.from({ length: batchLeads }, () => business(made++, made));
    /** Three in ten are doubles of leads long on record: same phone and name. */
    const mixed = () =>
      Array.from({ length: batchLeads }, (_, n) => business(made++, n % 10 < 3 ? made % 10_000 : made));
    const settleAll = (leads: Lead[]) => settleBatch(knex, "dedupe", leads);
    /** Median time a lead of so many batches, in microseconds. */
    const measure = async (make: () => Lead[], work: (leads: Lead[]) => Promise<unknown>): Promise<number> => {
      const times: number[] = [];
      for (let n = 0; n < batches; n++) {
        const leads = make();
        const start = performance.now();
        await work(leads);
        times.push(((performance.now() - start) * 1_000) / batchLeads);
      }
      return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
    };
    await measure(fresh, settleAll);
    await knex.raw("vacuum analyze leads, lead_keys");
    const known: Lead[][] = [];
    const keep = () => {
      const leads = fresh();
      known.push(leads);
      return leads;
    };
    const record = await measure(fresh, (leads) => transaction(knex, (trx) => insertLeads(trx, "dedupe", leads)));
    const none = await measure(keep, settleAll);
    const repeats = await measure(() => known.shift()!, settleAll);
    const doubles = await measure(mixed, settleAll);
    return [
      row("the record's write alone", record, null),
      row("no doubles", none, null),
      row("no doubles, beyond the record's write", none - record, 60),
      row("three in ten are doubles", doubles, null),
      row("repeats", repeats, null),
    ];
  } finally {
    await knex.destroy();
  }
}

function row(figure: string, value: number, goal: number | null): Row {
  const rounded = Math.round(value * 10) / 10;
  return { bench, figure, unit: "us a lead", value: rounded, goal, holds: goal === null ? null : rounded <= goal };
}

function business(n: number, like: number): Lead {
  const hex = createHash("sha256").update(`lead ${n}`).digest("hex");
  const leadId = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  return {
    leadId,
    tenant: "bench",
    revision: 1_760_000_000_000 + n,
    source: "bench",
    sourceId: `${n}`,
    trust: "imported",
    tier: 1,
    fields: {
      name: `Bakery number ${like} of the town`,
      email: `bakery${n}@mail${n}.example`,
      phone: `+1312${1_000_000 + like}`,
      website: `https://www.bakery${n}.example/`,
      domain: `bakery${n}.example`,
      address: { street: `${n} West Washington Street`, city: "Chicago", state: "IL", zip: "60602", country: "US" },
      vertical: "food",
      categories: ["bakery", "cafe"],
    },
    facts: { site: { status: "not_fetched", reason: "off" } },
    timeline: [{ stage: "enrich", at: 1_760_000_000_100, waitedMs: 10, workedMs: 5, outcome: "forward" }],
  };
}
