import { randomBytes, randomUUID } from "node:crypto";
import { headers as natsHeaders } from "nats";
import { until } from "../../bin/stack/process.ts";
import { deadLetter } from "../../mixins/actor/dead-letter.ts";
import { Publisher } from "../../mixins/actor/publisher.ts";
import { insertAcceptances } from "../../services/leads/leads.sql.ts";
import { passed } from "../../test/support/leads.ts";
import type { Mailbox } from "../../test/support/mail.ts";
import { freshLeads } from "../pipeline/fresh-leads.ts";
import type { ProcessMesh } from "../processes/mesh.ts";
import { toldLeads } from "../world/told-leads.ts";
import type { Call } from "./exercise.ts";

/** What requests are about, as ids: made by the mesh for this exercise. Empty where that failed. */
export interface Given {
  /** Two open ones. */
  reviews: string[];
  /** A lead that was merged into another. */
  merged: string[];
  /** Three that can be redriven. */
  letters: string[];
  /** Message-IDs of e-mails that were sent, eight or more. */
  sent: string[];
  /** Leads whose e-mail's fate is unknown, two. */
  unknown: string[];
}

/** Until the mesh has made one of them. */
const withinMs = 120_000;

export async function read(call: Call, path: string): Promise<{ items: any[] }> {
  const answer = await call("GET", path);
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as { items: any[] };
}

/** As {@link read}, for one who asks again: what is not answered well has nothing yet. */
const look = (call: Call, path: string) => read(call, path).catch(() => ({ items: [] }));

async function tell(call: Call, lead: object): Promise<string> {
  const answer = await call("POST", "/v1/leads", lead);
  const text = await answer.text();
  if (answer.status !== 202) throw new Error(`POST /v1/leads: ${answer.status} ${text}`);
  return (JSON.parse(text) as { id: string }).id;
}

/** Two pairs of one name in one city each, which may be one business or two. */
export async function openReviews(call: Call): Promise<string[]> {
  const names = [1, 2].map(() => `Rosebud ${randomUUID().replaceAll(/[^a-z]/g, "x")}`);
  for (const name of [...names, ...names]) await tell(call, { name, city: "Chicago" });
  let reviews: string[] = [];
  await until("two reviews are open", withinMs, async () => {
    const { items } = await look(call, "/v1/reviews?limit=200");
    reviews = items.filter(({ leads }) => names.includes(leads[0]?.fields.name)).map(({ id }) => id);
    return reviews.length >= 2;
  });
  return reviews;
}

/** One business, told by two sources. */
export async function mergedLead(call: Call, run: string): Promise<string[]> {
  const lead = [...toldLeads(`pair-${run}`, 20)].find(({ phone }) => phone !== undefined);
  const ids: string[] = [];
  for (const n of [1, 2]) ids.push(await tell(call, { ...lead, source: `pair-${run}-${n}` }));
  let merged: string[] = [];
  await until("a lead was merged", withinMs, async () => {
    const answers = await Promise.all(ids.map((id) => call("GET", `/v1/leads/${id}`)));
    const leads = (await Promise.all(answers.map((answer) => answer.json()))) as { status?: unknown }[];
    merged = ids.filter((_, n) => leads[n]!.status === "merged");
    return merged.length > 0;
  });
  return merged;
}

/** Leads that died in `score`, as the stage writes their letters. */
export async function deadLetters(
  { nats, names, knex }: ProcessMesh,
  call: Call,
  tenant: string,
  run: string,
): Promise<string[]> {
  const leads = [...freshLeads(tenant, 3, `dead-${run}`)].map((lead) => passed(lead, "enrich", "dedupe"));
  const acceptances = leads.map(({ leadId }) => ({ tenant, leadId, acceptedAt: Date.now(), importId: null }));
  await insertAcceptances(knex as Parameters<typeof insertAcceptances>[0], acceptances);
  const publisher = new Publisher(nats);
  try {
    for (const [seq, lead] of leads.entries()) {
      const [requestId, spanId] = [16, 8].map((bytes) => randomBytes(bytes).toString("hex")) as [string, string];
      const route = { tenant, lane: "live", requestId, traceparent: `00-${requestId}-${spanId}-01` } as const;
      const error = { type: "TypeError", message: "a bench" };
      const tries = { count: 6, firstAt: Date.now(), lastAt: Date.now(), error };
      const letter = deadLetter("score", { stream: "s", seq }, route, { lead, tries });
      const data = new TextEncoder().encode(JSON.stringify(letter));
      await publisher.publish(names.dead.subject("score", tenant), data, natsHeaders(), { full: "throw" });
    }
  } finally {
    publisher.close();
  }
  const ids = new Set(leads.map(({ leadId }) => leadId));
  let letters: string[] = [];
  await until("the letters are filed", withinMs, async () => {
    const { items } = await look(call, "/v1/dead-letters?stage=score");
    letters = items.filter(({ leadId }) => ids.has(leadId)).map(({ id }) => id);
    return letters.length >= leads.length;
  });
  return letters;
}

/** E-mails that are sent, but for two whose connection breaks before the answer, and one that is refused. */
export async function mails(call: Call, box: Mailbox, run: string): Promise<Pick<Given, "sent" | "unknown">> {
  const leads = [...toldLeads(`mail-${run}`, 60)].filter(({ email }) => email !== undefined).slice(0, 14);
  const refused = leads.at(-1)?.["email"];
  box.refuse = {
    recipient: (address) =>
      address === refused ? Object.assign(new Error("there is nobody of this name"), { responseCode: 550 }) : undefined,
  };
  box.cutAnswers = 2;
  const ids = new Set<string>();
  for (const lead of leads) ids.add(await tell(call, lead));
  let [sent, unknown]: [any[], any[]] = [[], []];
  await until("e-mails are sent", withinMs, async () => {
    // The newest of all.
    const { items } = await look(call, "/v1/outbox?limit=50");
    [sent, unknown] = ["sent", "unknown"].map((wanted) =>
      items.filter(({ leadId, state }) => state === wanted && ids.has(leadId)),
    ) as [any[], any[]];
    return sent.length >= 8 && unknown.length >= 2;
  });
  return { sent: sent.map(({ messageId }) => messageId), unknown: unknown.map(({ leadId }) => leadId) };
}
