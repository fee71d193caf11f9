import { randomBytes } from "node:crypto";
import type { Knex } from "knex";
import type { Acceptor } from "../../mixins/accept.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { countEnds } from "./ended.sql.ts";
import { stall } from "./stall.ts";

/** Puts leads of one tenant into the intake; a lead's time counts from here. */
export async function importLeads(edge: Acceptor, leads: Iterable<Lead>): Promise<void> {
  let writer: ReturnType<Acceptor["bulk"]> | undefined;
  for (const lead of leads) {
    writer ??= edge.bulk({ tenant: lead.tenant, requestId: randomBytes(16).toString("hex"), traceparent: "" });
    lead.revision = Date.now();
    await writer.write(lead);
  }
  await writer?.end();
}

/**
 * Waits until so many leads of a tenant have ended; `onLook` is told at each look how many have, once a second at least.
 * Throws where one ended otherwise than as completed or merged, which takes less than the way that is timed, and where
 * they stall.
 */
export async function untilEnded(
  knex: Knex,
  tenant: string,
  count: number,
  onLook: (ended: number) => void = () => {},
): Promise<void> {
  const what = `leads of ${tenant} that have ended`;
  const since = performance.now();
  const noteEnded = stall(what);
  let first: number | undefined;
  for (;;) {
    const { ended, amiss } = await countEnds(knex, tenant);
    if (amiss > 0) throw new Error(`${amiss} of ${ended} ${what} are dead, rejected or put away`);
    onLook(ended);
    if (ended >= count) return;
    noteEnded(ended);
    first ??= ended;
    // A count costs the database tens of milliseconds: the farther the end, the seldomer.
    const leftMs = ((count - ended) * (performance.now() - since)) / Math.max(1, ended - first);
    await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, Math.max(50, leftMs / 3))));
  }
}
