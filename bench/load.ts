import { randomUUID } from "node:crypto";
import type { NatsConnection } from "nats";
import type { Lane } from "../config/names.ts";
import { type EnvelopeItem, pack } from "../mixins/actor/envelope.ts";
import { Publisher } from "../mixins/actor/publisher.ts";
import { newSpanId, newTraceId, writeTraceparent } from "../mixins/trace/ids.ts";
import type { Lead } from "../services/leads/lead.ts";

/** A lead whose JSON takes about 1 kB. */
export function aLead(n: number): Lead {
  return {
    leadId: randomUUID(),
    tenant: "bench",
    revision: 1_760_000_000_000 + n,
    source: "bench",
    sourceId: String(n),
    trust: "imported",
    tier: 1,
    fields: {
      name: `Business number ${n} of the bench`,
      email: `info@business-${n}.example`,
      phone: `+1312555${String(n % 10_000).padStart(4, "0")}`,
      website: `https://www.business-${n}.example/`,
      domain: `business-${n}.example`,
      address: {
        street: `${n} North Michigan Avenue`,
        unit: "Suite 400",
        city: "Chicago",
        state: "IL",
        zip: "60611",
        country: "US",
      },
      vertical: "restaurant",
      categories: ["restaurant", "bar", "brewery"],
    },
    warnings: [{ field: "foundedYear", message: "x".repeat(380) }],
    facts: { site: { status: "not_fetched", reason: "off" } },
    timeline: [],
  };
}

/** Puts `count` leads into a mailbox, `perEnvelope` an envelope. Those of the live lane have a trace each, the others one. */
export async function preload(
  nc: NatsConnection,
  subject: string,
  count: number,
  perEnvelope: number,
  lane: Lane = "bulk",
): Promise<void> {
  const publisher = new Publisher(nc);
  const origin = () => ({ requestId: randomUUID(), traceparent: writeTraceparent(newTraceId(), newSpanId(), true) });
  let route = { tenant: "bench", lane, ...origin() };
  const flights: Promise<unknown>[] = [];
  for (let n = 0; n < count; n += perEnvelope) {
    const items: EnvelopeItem<Lead>[] = Array.from({ length: Math.min(perEnvelope, count - n) }, (_, i) => ({
      lead: aLead(n + i),
    }));
    if (lane === "live") route = { ...route, ...origin() };
    for (const { data, headers } of pack(route, items, perEnvelope))
      flights.push(publisher.publish(subject, data, headers, { full: "throw" }));
    if (flights.length >= 1_000) await Promise.all(flights.splice(0));
  }
  await Promise.all(flights);
  publisher.close();
}
