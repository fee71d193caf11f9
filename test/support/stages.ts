import { randomBytes, randomUUID } from "node:crypto";
import type { ServiceSchema } from "moleculer";
import { lanes } from "../../config/names.ts";
import type { StageConfig } from "../../config/pipeline.ts";
import { acceptor } from "../../mixins/accept.ts";
import { forward, type Item } from "../../mixins/actor/outcome.ts";
import { type ActorOptions, actor } from "../../mixins/actor.ts";
import { consumerInfo, jsApi } from "../../mixins/jetstream.ts";
import { defineService } from "../../mixins/schema.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { eventually } from "./eventually.ts";
import type { TestMesh } from "./mesh.ts";

/** A service that is nothing but a stage. Without a `handle` it forwards everything. */
export function stage(name: string, options: Partial<ActorOptions<Lead>> = {}): ServiceSchema {
  return defineService({
    name,
    mixins: [
      actor<Lead>({
        stage: name,
        handle: (batch) => batch.map(({ lead }) => forward(lead)),
        checkpoint: async () => {},
        ...options,
      }),
    ],
  });
}

/** Policies short enough for a test. */
export const quick: Omit<StageConfig, "name"> = {
  batchLeads: 50,
  lingerMs: 5,
  ackWaitMs: 2_000,
  retry: { retries: 3, baseMs: 200, maxMs: 1_000 },
};

/** The stage mockup between nothing and an end. */
export const draftingFlow: StageConfig[] = [
  { name: "mockup", ...quick },
  { name: "end", ...quick },
];

export const origin = (tenant = "acme") => ({
  tenant,
  requestId: randomBytes(16).toString("hex"),
  traceparent: `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`,
});

/** `count` leads of a tenant. */
export function someLeads(count: number, tenant = "acme"): Lead[] {
  return Array.from({ length: count }, (_, n) => ({
    leadId: randomUUID(),
    tenant,
    revision: Date.now(),
    source: "test",
    sourceId: String(n),
    trust: "imported",
    tier: 1,
    fields: { name: `Business ${n}` },
    facts: {},
    timeline: [],
  }));
}

/** Accepts leads on the live lane, one envelope each. */
export async function acceptLive(mesh: Pick<TestMesh, "resources">, leads: readonly Lead[]): Promise<void> {
  const edge = acceptor(mesh.resources);
  try {
    await Promise.all(leads.map((lead) => edge.one(lead, origin(lead.tenant))));
  } finally {
    edge.close();
  }
}

/** Accepts leads of one tenant into the intake, as an import does. */
export async function acceptBulk(mesh: Pick<TestMesh, "resources">, leads: readonly Item[]): Promise<void> {
  const edge = acceptor(mesh.resources);
  try {
    const writer = edge.bulk(origin(leads[0]!.tenant));
    for (const lead of leads) await writer.write(lead);
    await writer.end();
  } finally {
    edge.close();
  }
}

/** Waits until these stages have nothing pending, nothing out and nothing parked. */
export async function quiet(mesh: TestMesh, stages: readonly string[], withinMs = 20_000): Promise<void> {
  const { nats, names } = mesh;
  await eventually(
    `quiet in ${stages.join(", ")}`,
    async () => {
      const parked = async () => (await jsApi(nats, `STREAM.INFO.${names.park.stream}`)).state;
      const before = await parked();
      if (before.messages > 0) return false;
      for (const name of stages) {
        for (const lane of lanes) {
          const { num_pending, num_ack_pending } = await consumerInfo(nats, names.mailbox(name).stream, lane);
          if (num_pending + num_ack_pending > 0) return false;
        }
      }
      // On the way forward nothing is missed; what went back through the park meanwhile may have been.
      return (await parked()).last_seq === before.last_seq;
    },
    { withinMs },
  );
}
