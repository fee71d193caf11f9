import { randomBytes } from "node:crypto";
import type { Knex } from "knex";
import type { Acceptor } from "../../mixins/accept.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { countEnded } from "./ended.sql.ts";

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

/** Waits until so many leads of a tenant have ended. */
export async function untilEnded(knex: Knex, tenant: string, count: number): Promise<void> {
  const since = performance.now();
  const first = await countEnded(knex, tenant);
  for (let ended = first; ended < count; ended = await countEnded(knex, tenant)) {
    // A count costs the database tens of milliseconds: the farther the end, the seldomer.
    const leftMs = ((count - ended) * (performance.now() - since)) / Math.max(1, ended - first);
    await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, Math.max(50, leftMs / 3))));
  }
}
