import type { Knex } from "knex";
import { openDatabase } from "../mixins/knex.ts";
import { settleBatch } from "../services/dedupe/settle.sql.ts";
import type { Lead } from "../services/leads/lead.ts";
import { migrate } from "../services/leads/migrations/migrate.ts";
import { insertLeads } from "../services/leads/record.ts";
import { ownPostgres } from "../test/support/servers.ts";
import { business } from "./dedupe/business.ts";
import { loadKnown } from "./dedupe/known.sql.ts";
import { atMost, type Bench, figure, median } from "./row.ts";

/**
 * What matching a lead on arrival costs with few and with many leads known: both transactions without their flush to
 * disk, batches of 250, one connection; without doubles, and where three in ten are known with another phone. Batches
 * with few and with many known by turns, as the machine is not equally busy from one minute to the next.
 */
const batchLeads = 250;
const few = 10_000;

/** Microseconds a lead. */
interface Cost {
  record: number;
  fresh: number;
  mixed: number;
}

interface Side extends AsyncDisposable {
  knex: Knex;
  /** Leads that may be told a second time. */
  told: number;
}

export const run: Bench = async ({ short, log }) => {
  const many = short ? 100_000 : 1_000_000;
  const batches = short ? 20 : 60;
  await using little = await sideOf(few, log);
  await using much = await sideOf(many, log);
  let serial = 0;
  const fresh = () => business(serial++, "arriving");
  const mixed = (told: number) => (serial % 10 < 3 ? double(serial++, told) : fresh());
  const measure = async (make: (side: Side) => Lead, work: (knex: Knex, leads: Lead[]) => Promise<unknown>) => {
    const times = new Map<Side, number[]>([
      [little, []],
      [much, []],
    ]);
    for (let n = 0; n < batches + 5; n++) {
      for (const [side, list] of times) {
        const leads = Array.from({ length: batchLeads }, () => make(side));
        const began = performance.now();
        await work(side.knex, leads);
        // The first five warm the caches.
        if (n >= 5) list.push(((performance.now() - began) * 1_000) / batchLeads);
      }
    }
    return [...times.values()].map(median);
  };
  const insert = (knex: Knex, leads: Lead[]) => knex.transaction((trx) => insertLeads(trx, "dedupe", leads));
  const settle = (knex: Knex, leads: Lead[]) => settleBatch(knex, "dedupe", leads);
  const records = await measure(fresh, insert);
  const singles = await measure(fresh, settle);
  const doubles = await measure(({ told }) => mixed(told), settle);
  const [cheap, dear] = [0, 1].map((n): Cost => ({ record: records[n]!, fresh: singles[n]!, mixed: doubles[n]! })) as [
    Cost,
    Cost,
  ];
  const rows = [
    [few, cheap],
    [many, dear],
  ] as const;
  return [
    ...rows.flatMap(([known, { record, fresh, mixed }]) => [
      figure("dedupe", `the record's write alone, ${known} known`, "us a lead", record),
      figure("dedupe", `no doubles, ${known} known`, "us a lead", fresh),
      figure("dedupe", `three in ten are doubles, ${known} known`, "us a lead", mixed),
    ]),
    atMost("dedupe", `no doubles, ${many} known over ${few}`, "x", dear.fresh / cheap.fresh, 1.5),
    atMost("dedupe", `three in ten, ${many} known over ${few}`, "x", dear.mixed / cheap.mixed, 1.5),
  ];
};

/**
 * A record with so many leads, sized and kept safe as npm start has it, full-page writes and all; but for the flush,
 * which waits for a disk that is the same with few and with many.
 */
async function sideOf(known: number, log: (line: string) => void): Promise<Side> {
  const postgres = await ownPostgres({ durable: true });
  const databaseUrl = `${postgres.url}?options=${encodeURIComponent("-c synchronous_commit=off")}`;
  const knex = openDatabase({ databaseUrl, databasePool: 1, statementTimeoutMs: 900_000 });
  await migrate(knex);
  const start = performance.now();
  const told = await loadKnown(knex, known, (n) => business(n));
  log(`${known} leads loaded in ${Math.round((performance.now() - start) / 1_000)} s`);
  return {
    knex,
    told,
    async [Symbol.asyncDispose]() {
      await knex.destroy();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

/** A business that is known, as another list tells it. */
function double(n: number, known: number): Lead {
  const fresh = business(n, "arriving");
  const { email: _, ...fields } = business((n * 7_919) % known).fields;
  return { ...fresh, fields: { ...fields, phone: fresh.fields.phone! } };
}
