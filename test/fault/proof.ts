import { scan } from "../../mixins/scan.ts";
import { audit } from "../../services/leads/audit.ts";
import type { RowAct } from "./act.ts";
import { type Books, booksOf, brokenMerges, leadStates, outboxStates } from "./proof.sql.ts";

/** What is true of a row's leads once the mesh is quiet. Each list names what breaks it. */
export interface Proof {
  accepted: number;
  /** Promised and nowhere, or not at an end. */
  lost: string[];
  /** E-mails, merges and payments that happened twice. */
  doubled: string[];
  /** Dead letters of leads that were no poison. */
  dead: string[];
  /** E-mails whose fate nobody knows: shown, not sent again. */
  unknown: number;
  /** Paid calls that were made again because a fault cut their answer off: booked, each one. */
  repeatedCalls: number;
  mails: number;
  merges: number;
  /** When each lead ended, ms since 1970. */
  endedAt: Map<string, number>;
}

const ends = new Set(["completed", "merged", "rejected", "dead"]);

/** Proves a row from five lists that do not know each other: ours, the record, the streams, the SMTP server's, the provider's. */
export async function prove(act: RowAct): Promise<Proof> {
  const { world, load } = act;
  const { knex, nats, names, settings } = world;
  const { tenant, promised, poison } = load;
  const [states, merges, mails, books, letters] = await Promise.all([
    leadStates(knex, tenant),
    brokenMerges(knex, tenant),
    outboxStates(knex, tenant),
    booksOf(knex, tenant, "pagespeed"),
    deadLetters(act),
  ]);
  const conservation = await audit({
    ...{ nats, names, settings, tenant },
    accepted: [...promised.values()].map(({ leadId }) => ({ leadId, tenant })),
  });

  const buried = new Set(letters.leads.map(({ leadId }) => leadId));
  const lost = [...promised.keys()].filter((id) => !(ends.has(states.get(id)?.state ?? "") || buried.has(id)));
  lost.push(...conservation.broken.filter((id) => !lost.includes(id)));
  lost.push(...[...poison].filter((id) => !buried.has(id) && !lost.includes(id)).map((id) => `dead letter of ${id}`));
  if (letters.foreign !== load.foreign)
    lost.push(`${load.foreign - letters.foreign} of ${load.foreign} foreign messages`);

  const sent = mailsOf(act, mails);
  return {
    accepted: conservation.accepted,
    lost: [...lost, ...sent.lost],
    doubled: [...sent.doubled, ...merges.broken.map((id) => `merge of ${id}`), ...payments(act, books)],
    dead: letters.leads.filter(({ leadId }) => !poison.has(leadId)).map(({ leadId, error }) => `${leadId}: ${error}`),
    unknown: mails.filter(({ state }) => state === "unknown").length,
    repeatedCalls: books.repeats.reduce((a, b) => a + b, 0),
    mails: world.box.received.length,
    merges: merges.merges,
    endedAt: new Map([...states].map(([id, { endedAt }]) => [id, endedAt])),
  };
}

/** What no later moment can mend, while the mesh is at work: dead letters that were no poison, e-mails that arrived twice. */
export async function brokenAlready(act: RowAct): Promise<string[]> {
  const { leads } = await deadLetters(act);
  return [
    ...leads.filter(({ leadId }) => !act.load.poison.has(leadId)).map(({ leadId }) => `dead: ${leadId}`),
    ...[...act.world.box.counts].filter(([, n]) => n > 1).map(([id]) => `e-mail ${id}`),
  ];
}

/** The dead letters of this row: the foreign message, which is nobody's, and the tenant's leads. */
async function deadLetters({ world, load, deadBefore }: RowAct) {
  const leads: { leadId: string; error: string }[] = [];
  let foreign = 0;
  for await (const batch of scan(world.nats, world.names.dead.stream)) {
    for (const { seq, data } of batch) {
      const letter = JSON.parse(Buffer.from(data).toString());
      if (seq <= deadBefore) continue;
      if (letter.lead === null) foreign++;
      else if (letter.lead.tenant === load.tenant)
        leads.push({ leadId: letter.lead.leadId, error: `${letter.stage} ${JSON.stringify(letter.error)}` });
    }
  }
  return { leads, foreign };
}

/** The outbox against the SMTP server's own list. */
function mailsOf({ world }: RowAct, rows: readonly { messageId: string; state: string }[]) {
  const { counts, received } = world.box;
  const doubled = [...counts].filter(([, n]) => n > 1).map(([id, n]) => `e-mail ${id} (${n} times)`);
  const byAddress = new Map<string, Set<string>>();
  for (const { to, messageId } of received)
    for (const address of to) byAddress.set(address, (byAddress.get(address) ?? new Set()).add(messageId));
  for (const [address, ids] of byAddress) if (ids.size > 1) doubled.push(`${ids.size} e-mails to ${address}`);
  const known = new Map(rows.map(({ messageId, state }) => [messageId, state]));
  const lost = rows
    .filter(({ messageId, state }) => state === "sent" && !counts.has(messageId))
    .map(({ messageId }) => `e-mail ${messageId} is said to be sent`);
  for (const id of counts.keys())
    if (!["sent", "unknown"].includes(known.get(id) ?? "none"))
      doubled.push(`e-mail ${id} was sent and is ${known.get(id) ?? "in no outbox"}`);
  return { doubled, lost };
}

/** The ledger against the provider's own list of the calls that it is paid for. */
function payments({ world, strikes }: RowAct, books: Books): string[] {
  const free = new Set(["401", "402", "429", "429 with Retry-After", "500"]);
  const calls = world.pagespeed.answers.filter(({ failure }) => !free.has(failure));
  // What was answered in a form that is not known was paid for, and is asked again twice at the most.
  const garbled = Math.min(2, calls.filter(({ failure }) => failure !== "none").length);
  const faults: string[] = [];
  if (calls.length > books.paid) faults.push(`${calls.length - books.paid} paid calls are in no ledger`);
  if (books.wrongWindows > 0) faults.push(`${books.wrongWindows} windows of the ledger are not their entries' sum`);
  for (const repeats of books.repeats)
    if (repeats > strikes + garbled) faults.push(`an effect was paid ${repeats + 1} times`);
  return faults;
}
