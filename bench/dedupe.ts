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
 * What matching a lead on arrival costs with few and with many leads known: the whole transaction without its flush to
 * disk, batches of 250, one connection; without doubles, and where three in ten are known with another phone.
 */
const batchLeads = 250;
const few = 10_000;

/** Microseconds a lead. */
interface Cost {
  record: number;
  fresh: number;
  mixed: number;
}

export const run: Bench = async ({ short, log }) => {
  const many = short ? 100_000 : 1_000_000;
  const batches = short ? 20 : 60;
  const cost = async (known: number): Promise<Cost> => {
    // Sized and kept safe as npm start has it, full-page writes and all; but for the flush, which waits for a disk that
    // is the same with few and with many.
    await using postgres = await ownPostgres({ durable: true });
    const databaseUrl = `${postgres.url}?options=${encodeURIComponent("-c synchronous_commit=off")}`;
    const knex = openDatabase({ databaseUrl, databasePool: 1, statementTimeoutMs: 900_000 });
    try {
      await migrate(knex);
      const start = performance.now();
      const told = await loadKnown(knex, known, (n) => business(n));
      log(`${known} leads loaded in ${Math.round((performance.now() - start) / 1_000)} s`);
      let serial = 0;
      const measure = async (make: () => Lead, work: (leads: Lead[]) => Promise<unknown>) => {
        const times: number[] = [];
        for (let n = 0; n < batches + 5; n++) {
          const leads = Array.from({ length: batchLeads }, make);
          const began = performance.now();
          await work(leads);
          // The first five warm the caches.
          if (n >= 5) times.push(((performance.now() - began) * 1_000) / batchLeads);
        }
        return median(times);
      };
      const settled = (leads: Lead[]) => settleBatch(knex, "dedupe", leads);
      const fresh = () => business(serial++, "arriving");
      return {
        record: await measure(fresh, (leads) => knex.transaction((trx) => insertLeads(trx, "dedupe", leads))),
        fresh: await measure(fresh, settled),
        mixed: await measure(() => (serial % 10 < 3 ? double(serial++, told) : fresh()), settled),
      };
    } finally {
      await knex.destroy();
    }
  };
  const [little, much] = [await cost(few), await cost(many)];
  const rows = [
    [few, little],
    [many, much],
  ] as const;
  return [
    ...rows.flatMap(([known, { record, fresh, mixed }]) => [
      figure("dedupe", `the record's write alone, ${known} known`, "us a lead", record),
      figure("dedupe", `no doubles, ${known} known`, "us a lead", fresh),
      figure("dedupe", `three in ten are doubles, ${known} known`, "us a lead", mixed),
    ]),
    atMost("dedupe", `no doubles, ${many} known over ${few}`, "x", much.fresh / little.fresh, 1.5),
    atMost("dedupe", `three in ten, ${many} known over ${few}`, "x", much.mixed / little.mixed, 1.5),
  ];
};

/** A business that is known, as another list tells it. */
function double(n: number, known: number): Lead {
  const fresh = business(n, "arriving");
  const { email: _, ...fields } = business((n * 7_919) % known).fields;
  return { ...fresh, fields: { ...fields, phone: fresh.fields.phone! } };
}
