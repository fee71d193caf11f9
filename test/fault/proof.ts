import { scan } from "../../mixins/scan.ts";
import { audit } from "../../services/leads/audit.ts";
import type { RowAct } from "./act.ts";
import { type Call, doublesApart, judgeMails, judgePayments } from "./judge.ts";
import { brokenMerges, claimedInVain, leadStates, outboxOf, paidOf, winnersOf, wrongWindows } from "./proof.sql.ts";

/** What is true of a row's leads once the mesh is quiet. Each list names what breaks it. */
export interface Proof {
  accepted: number;
  /** Promised and nowhere, or not at an end; e-mails that are neither sent nor explained. */
  lost: string[];
  /** E-mails, merges and payments that happened twice; doubles that were not found. */
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

/** A lead that has ended so was compared with those before it. */
const compared = new Set(["completed", "merged", "rejected"]);
const ends = new Set([...compared, "dead"]);

/** Proves a row from five lists that do not know each other: ours, the record, the streams, the SMTP server's, the provider's. */
export async function prove(act: RowAct): Promise<Proof> {
  const { world, load } = act;
  const { knex, nats, names, settings } = world;
  const { tenant, promised, poison } = load;
  // In this order: who has lost a merge by the first has a winner in the second.
  const states = await leadStates(knex, tenant);
  const winners = await winnersOf(knex, tenant);
  const [merges, letters, mails, payments] = await Promise.all([
    brokenMerges(knex, tenant),
    deadLetters(act),
    mailsOf(act, winners),
    paymentsOf(act),
  ]);
  const conservation = await audit({
    ...{ nats, names, settings, tenant },
    accepted: [...promised.values()].map(({ leadId }) => ({ leadId, tenant })),
  });

  const isCompared = (id: string) => compared.has(states.get(id)?.state ?? "");
  const buried = new Set(letters.leads.map(({ leadId }) => leadId));
  const lost = [...promised.keys()].filter((id) => !(ends.has(states.get(id)?.state ?? "") || buried.has(id)));
  lost.push(...conservation.broken.filter((id) => !lost.includes(id)));
  lost.push(...[...poison].filter((id) => !buried.has(id) && !lost.includes(id)).map((id) => `dead letter of ${id}`));
  if (letters.foreign !== load.foreign)
    lost.push(`${load.foreign - letters.foreign} of ${load.foreign} foreign messages`);

  return {
    accepted: conservation.accepted,
    lost: [...lost, ...mails.lost],
    doubled: [
      ...mails.doubled,
      ...merges.broken.map((id) => `merge of ${id}`),
      // Those that are still under way may yet meet; they are told as lost, or late.
      ...doublesApart(
        load.doubles.filter(({ id, of }) => isCompared(id) && isCompared(of)),
        winners,
      ),
      ...payments.doubled,
    ],
    dead: letters.leads.filter(({ leadId }) => !poison.has(leadId)).map(({ leadId, error }) => `${leadId}: ${error}`),
    unknown: mails.unknown,
    repeatedCalls: payments.repeated,
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

/** A sender has so many e-mails in hand at the most, and a strike cuts no more than those. */
async function mailsOf({ world, load, cuts }: RowAct, winners: ReadonlyMap<string, string>) {
  const { knex, box, settings } = world;
  const [rows, claimed] = await Promise.all([outboxOf(knex, load.tenant), claimedInVain(knex, load.tenant)]);
  const strikes = cuts.filter(({ what }) => what.includes("mails")).reduce((sum, cut) => sum + cut.strikes, 0);
  return judgeMails({
    rows,
    received: box.received,
    claimedInVain: claimed,
    merged: new Set(winners.keys()),
    mayBeUnknown: strikes * settings.mailConnections,
  });
}

async function paymentsOf({ world, load, cuts }: RowAct) {
  const [entries, wrong] = await Promise.all([
    paidOf(world.knex, load.tenant, "pagespeed"),
    wrongWindows(world.knex, load.tenant),
  ]);
  const calls = world.pagespeed.answers.map(
    ({ request, failure }): Call => ({
      url: new URL(request, world.pagespeed.url).searchParams.get("url") ?? "",
      failure,
    }),
  );
  const { doubled, repeated } = judgePayments({
    entries,
    calls,
    siteOf: (leadId) => load.sites.get(leadId),
    cuts: cuts.filter(({ what }) => what.includes("payments")),
  });
  if (wrong > 0) doubled.push(`${wrong} windows of the ledger are not their entries' sum`);
  return { doubled, repeated };
}
