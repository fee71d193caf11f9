import { headers as natsHeaders } from "nats";
import type { Lane } from "../../config/names.ts";
import { type DeadLetter, deadLetter } from "../../mixins/actor/dead-letter.ts";
import { unpack } from "../../mixins/actor/envelope.ts";
import { Publisher } from "../../mixins/actor/publisher.ts";
import { scan } from "../../mixins/scan.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { insertAcceptances } from "../../services/leads/leads.sql.ts";
import { eventually } from "./eventually.ts";
import { aLead, passed } from "./leads.ts";
import type { TestMesh } from "./mesh.ts";
import { origin } from "./stages.ts";

type Place = Pick<TestMesh, "nats" | "names" | "resources">;

export interface Burial {
  stage?: string;
  lane?: Lane;
  error?: string;
}

/** Accepts leads that have died, as a stage writes their letters, and waits until the index has them all. */
export async function bury(mesh: Place, leads: readonly Lead[], burial: Burial = {}): Promise<void> {
  const { stage = "score", lane = "live", error = "TypeError" } = burial;
  const { nats, names, resources } = mesh;
  const knex = resources.databases.of("");
  await insertAcceptances(
    knex,
    leads.map(({ tenant, leadId }) => ({ tenant, leadId, acceptedAt: Date.now(), importId: null })),
  );
  const publisher = new Publisher(nats);
  const tries = { count: 6, firstAt: 1, lastAt: 2, error: { type: error, message: "m" } };
  try {
    await Promise.all(
      leads.map((lead, n) => {
        const route = { ...origin(lead.tenant), lane };
        const letter: DeadLetter<Lead> = deadLetter(stage, { stream: "s", seq: n }, route, { lead, tries });
        const data = new TextEncoder().encode(JSON.stringify(letter));
        return publisher.publish(names.dead.subject(stage, lead.tenant), data, natsHeaders(), { full: "throw" });
      }),
    );
  } finally {
    publisher.close();
  }
  const ids = leads.map(({ leadId }) => leadId);
  await eventually("the letters are filed", async () => {
    const [{ n }] = (await knex("dead_letters").whereIn("lead_id", ids).count({ n: "*" })) as [{ n: string }];
    return Number(n) >= leads.length;
  });
}

/** A dead letter of a new lead of this tenant; its id. */
export async function buried(mesh: Place & Pick<TestMesh, "broker">, tenant: string): Promise<string> {
  const lead = passed(aLead({ tenant }), "enrich", "dedupe");
  await bury(mesh, [lead]);
  const letters = await mesh.broker.call<{ id: string }[], object>("dead-letters.ofLead", {
    tenant,
    leadId: lead.leadId,
  });
  return letters[0]!.id;
}

/** The leads of all envelopes in a stage's mailbox, oldest first. */
export async function mailboxLeads({ nats, names }: Place, stage: string): Promise<Lead[]> {
  const { stream, subject } = names.mailbox(stage);
  const leads: Lead[] = [];
  for (const lane of ["live", "bulk"] as const)
    for await (const batch of scan(nats, stream, { subject: subject(lane) }))
      for (const { data, headers } of batch) leads.push(...unpack<Lead>(data, headers).items.map(({ lead }) => lead));
  return leads;
}

/** Waits until a job is over, and answers it. */
export function jobEnd(mesh: Pick<TestMesh, "broker">, id: string, withinMs = 20_000): Promise<any> {
  return eventually(
    "the job is over",
    async () => {
      const job = await mesh.broker.call<any, object>("dead-letters.job", { tenant: "*", id });
      return job.state !== "running" && job;
    },
    { withinMs },
  );
}
