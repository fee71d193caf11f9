import { randomBytes } from "node:crypto";
import type { Knex } from "knex";
import type { Acceptor } from "../../mixins/accept.ts";
import { endToEndMs } from "../pipeline/ended.sql.ts";
import { freshLeads } from "../pipeline/fresh-leads.ts";
import { stall } from "../pipeline/stall.ts";

/** Sends live leads at 20 a second; answers how long each took, ascending. Throws where they stall: one may have died. */
export async function liveTimes(
  { edge, knex }: { edge: Acceptor; knex: Knex },
  { tenant, seed, count }: { tenant: string; seed: string; count: number },
): Promise<number[]> {
  for (const lead of freshLeads(tenant, count, seed)) {
    lead.revision = Date.now();
    await edge.one(lead, { tenant, requestId: randomBytes(16).toString("hex"), traceparent: "" });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const noteEnded = stall(`live leads of ${tenant} that have ended, of ${count}`); ; ) {
    const times = await endToEndMs(knex, tenant, seed);
    if (times.length === count) return times;
    noteEnded(times.length);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
