import type { Knex } from "knex";
import { planned, transaction } from "../../mixins/knex.ts";
import type { TimeKey } from "../../mixins/time-cursor.ts";
import type { OutboxMail } from "./mail-of.ts";
import { isGone, isMail, isSuppressed } from "./suppressions.sql.ts";

/** A lead that is to be written to. */
export interface Wanted {
  tenant: string;
  leadId: string;
  /** SHA-256 of the lower-case address. */
  address: Buffer;
}

/**
 * What became of it:
 * - `written`: its e-mail stands in the outbox, by this call or by an earlier one;
 * - `taken`: another lead of the tenant has the one e-mail of this campaign to this address;
 * - `suppressed`: the address wants none;
 * - `merged`: the lead was found to be a double while it was on its way here: its winner is written to, not it. (Or it
 *   was erased or discarded: then nothing more is recorded of it anyway.)
 */
export type Written = "written" | "taken" | "suppressed" | "merged";

/**
 * Claims and writes e-mails, in one transaction: whoever inserts the claim of (tenant, campaign, address) writes its
 * e-mail. One answer a wanted lead, in order. `mailOf` is asked for those alone that are to be written, and again when
 * the transaction is repeated: it must only render.
 *
 * A repeat finds its own claim: with its outbox row it changes nothing; without one (made by hand, or kept when the row
 * was taken away) the row is written now. So a claim and its row end as one each, however often a lead comes.
 */
export async function writeMails(
  knex: Knex,
  campaign: string,
  wanted: readonly Wanted[],
  mailOf: (index: number) => OutboxMail,
): Promise<Written[]> {
  if (wanted.length === 0) return [];
  return transaction(knex, async (trx) => {
    const since = performance.now();
    const made = await claim(trx, campaign, wanted);
    const isOld = performance.now() - since > longMs;
    const asked = wanted.filter((one) => isOld || !made.has(claimOf(one)));
    const found = asked.length > 0 ? await statesOf(trx, campaign, asked) : [];
    const states = new Map(asked.map((one, n) => [one, found[n]!]));
    // What was made a moment ago was looked at a moment ago.
    const stateOf = (one: Wanted) => states.get(one) ?? "claimed";
    const mails = wanted.flatMap((one, index) => (stateOf(one) === "claimed" ? [{ ...one, mail: mailOf(index) }] : []));
    if (mails.length > 0) await insertMails(trx, campaign, mails);
    return wanted.map((one) => {
      const state = stateOf(one);
      return state === "claimed" ? "written" : state;
    });
  });
}

/** A claim that took longer may have waited for another transaction: what it saw before is old, and is looked at again. */
const longMs = 100;
const claimOf = ({ tenant, leadId, address }: Wanted) => `${tenant} ${leadId} ${address.toString("hex")}`;

/**
 * The wanted leads as rows, their order in `n`. Takes the bindings of {@link bindings}. How many they are is out of the
 * planner's sight, so that it keeps its plan (mixins/knex.ts `unseen`).
 */
const wantedRows = `unnest((select ?::text[]), (select ?::uuid[]), (select ?::bytea[])) with ordinality as wanted(tenant, lead_id, address, n)`;
const bindings = (wanted: readonly Wanted[]) => [
  wanted.map((w) => w.tenant),
  wanted.map((w) => w.leadId),
  // As PostgreSQL's hex text: knex's types know no array of buffers.
  wanted.map((w) => `\\x${w.address.toString("hex")}`),
];

/**
 * The look-ups are sub-selects kept apart by `offset 0`, each by a primary key: as plain joins and `exists` they were
 * planned over the whole tables, 90 ms a batch at 10,000 e-mails, and more with every further one.
 */
const hasMail = `exists (
         select from outbox o where o.lead_id = wanted.lead_id and o.tenant = wanted.tenant and o.campaign = ?
           and ${isMail("o")} offset 0)`;
/**
 * A double of the lead was written to before it was merged. Found by leads_by_winner, in each part of the table, as a winner's
 * id rules out none; then by outbox's primary key. So it is asked first, by merges_by_winner, whether the lead ever had a
 * double: who merges one into it books a merge in the same transaction, and none is ever taken away.
 */
const isWrittenToAsDouble = `(exists (
         select from merges m where m.tenant = wanted.tenant and m.winner = wanted.lead_id offset 0)
       and exists (
         select from (
           select l.lead_id, l.tenant from leads l
           where l.tenant = wanted.tenant and l.merged_into = wanted.lead_id offset 0
         ) double
         where exists (
           select from outbox o where o.lead_id = double.lead_id and o.tenant = double.tenant and o.campaign = ?
             and ${isMail("o")} offset 0)))`;

/**
 * Inserts claims, but for addresses that are suppressed, leads that were written to already, under their own name or a
 * double's, and leads that are doubles themselves. Of several leads with one address the first in the list gets it. A
 * claim that another transaction is inserting is waited for; the order by address keeps two batches from waiting for
 * each other. Returns the claims that it made ({@link claimOf}).
 */
async function claim(trx: Knex.Transaction, campaign: string, wanted: readonly Wanted[]): Promise<ReadonlySet<string>> {
  const { rows } = await planned(
    "mail_claim",
    trx.raw<{ rows: { tenant: string; lead_id: string; address: Buffer }[] }>(
      `insert into mail_claims (tenant, campaign, address, lead_id)
     select distinct on (address, tenant) tenant, ?, address, lead_id
     from ${wantedRows}
     where not ${isSuppressed("wanted")} and not ${hasMail} and not ${isGone("wanted")} and not ${isWrittenToAsDouble}
     order by address, tenant, n
     on conflict do nothing
     returning tenant, lead_id, address`,
      [campaign, ...bindings(wanted), campaign, campaign],
    ),
  );
  return new Set(rows.map(({ tenant, lead_id: leadId, address }) => claimOf({ tenant, leadId, address })));
}

/**
 * How leads stand whose claim was not made just now: `claimed` holds its address's claim and has no e-mail yet. Reads what
 * others committed while the claim waited for them: each statement of a READ COMMITTED transaction sees that.
 */
async function statesOf(
  trx: Knex.Transaction,
  campaign: string,
  wanted: readonly Wanted[],
): Promise<(Written | "claimed")[]> {
  const { rows } = await planned(
    "mail_states",
    trx.raw<{ rows: { state: Written | "claimed" }[] }>(
      `select case
         when ${hasMail} then 'written'
         when ${isGone("wanted")} then 'merged'
         when ${isWrittenToAsDouble} then 'taken'
         when ${isSuppressed("wanted")} then 'suppressed'
         when claimant is null then 'suppressed'
         when claimant = wanted.lead_id then 'claimed'
         else 'taken'
       end as state
     from ${wantedRows}
     cross join lateral (select (
       select c.lead_id from mail_claims c
       where c.address = wanted.address and c.tenant = wanted.tenant and c.campaign = ? offset 0
     ) as claimant) c
     order by n`,
      [campaign, campaign, ...bindings(wanted), campaign],
    ),
  );
  return rows.map((row) => row.state);
}

/**
 * Inserts e-mails in lead order. A lead that has one keeps it: two tellings of a lead can meet here with two addresses. One
 * that was cancelled before it was ever handed over is written anew, as of a lead that came back.
 */
async function insertMails(
  trx: Knex.Transaction,
  campaign: string,
  mails: readonly (Wanted & { mail: OutboxMail })[],
): Promise<void> {
  const sent = mails.filter(({ mail }) => mail.sending !== null);
  if (sent.length > 0)
    await trx.raw(
      "insert into mail_tenants (tenant) select distinct tenant from unnest(?::text[]) as t(tenant) order by tenant on conflict do nothing",
      [sent.map((m) => m.tenant)],
    );
  const given = `unnest(?::text[], ?::uuid[], ?::text[], ?::bytea[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[])
       as mail(tenant, lead_id, recipient, address, domain, time_zone, subject, html, body, message_id, unsubscribe_url)`;
  const bound = [
    campaign,
    mails.map((m) => m.tenant),
    mails.map((m) => m.leadId),
    mails.map((m) => m.mail.to),
    mails.map((m) => `\\x${m.address.toString("hex")}`),
    mails.map((m) => m.mail.domain),
    // Knex's types know no null inside an array.
    mails.map((m) => m.mail.timeZone) as string[],
    mails.map((m) => m.mail.subject),
    mails.map((m) => m.mail.html),
    mails.map((m) => m.mail.text),
    mails.map((m) => m.mail.sending?.messageId ?? null) as string[],
    mails.map((m) => m.mail.sending?.unsubscribeUrl ?? null) as string[],
  ];
  const { rowCount } = await trx.raw<{ rowCount: number }>(
    `insert into outbox (tenant, lead_id, campaign, recipient, address, domain, time_zone, subject, html, body,
       message_id, unsubscribe_url, due_at)
     select tenant, lead_id, ?, recipient, address, domain, time_zone, subject, html, body,
       message_id, unsubscribe_url, case when message_id is not null then now() end
     from ${given}
     order by lead_id, tenant
     on conflict do nothing`,
    bound,
  );
  if (rowCount === mails.length) return;
  // Not by `do update`, which refuses a lead that is there twice, and tells the figures of a change with every batch.
  const { rows: cancelled } = await trx.raw(
    `select from outbox o where lead_id = any(?::uuid[]) and campaign = ? and not ${isMail("o")}
     order by lead_id, tenant for update`,
    [mails.map((m) => m.leadId), campaign],
  );
  if (cancelled.length > 0)
    await trx.raw(
      `update outbox o set state = 'written', recipient = mail.recipient, address = mail.address, domain = mail.domain,
         time_zone = mail.time_zone, subject = mail.subject, html = mail.html, body = mail.body,
         message_id = mail.message_id, unsubscribe_url = mail.unsubscribe_url, written_at = now(),
         due_at = case when mail.message_id is not null then now() end, slot_at = null, holder = null, lease_until = null,
         sent_at = null, reason = null, opened = false
       from (select cast(? as text) as campaign, * from ${given}) mail
       where o.lead_id = mail.lead_id and o.tenant = mail.tenant and o.campaign = mail.campaign and not ${isMail("o")}`,
      bound,
    );
}

export interface OutboxItem {
  leadId: string;
  campaign: string;
  state: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  /** ms since 1970, as the others */
  writtenAt: number;
  /** When it may be sent; absent for one that is sent never, or was. */
  dueAt?: number;
  sentAt?: number;
  /** Why it is not sent, or what went wrong. */
  reason?: string;
  /** How often it was handed over, or may have been. */
  attempts: number;
  messageId?: string;
}

/** A tenant's e-mails, the newest first, after `key`, and the key of the last. Served by the index outbox_by_time. */
export async function readOutbox(
  knex: Knex,
  { tenant, state, key, limit }: { tenant: string; state?: string; key?: TimeKey; limit: number },
): Promise<{ item: OutboxItem; key: TimeKey }[]> {
  const { rows } = await knex.raw<{ rows: OutboxRow[] }>(
    `select lead_id as "leadId", campaign, state, recipient as "to", subject, body as text, html, attempts, reason,
       message_id, written_at, sent_at, case when state = 'written' then due_at end as due_at,
       to_char(written_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as exact
     from outbox
     where tenant = ?
       ${state === undefined ? "" : "and state = ?"}
       ${key === undefined ? "" : "and (written_at, lead_id) < (?::timestamptz, ?::uuid)"}
     order by written_at desc, lead_id desc
     limit ?`,
    [tenant, ...(state === undefined ? [] : [state]), ...(key === undefined ? [] : [key.at, key.id]), limit],
  );
  return rows.map((row) => ({ item: itemOf(row), key: { at: row.exact, id: row.leadId } }));
}

/** How an e-mail stands, without what it says. */
export type MailState = Pick<OutboxItem, "campaign" | "state" | "dueAt" | "reason">;

/** How a lead's e-mails stand, the newest first. Served by the primary key. */
export async function mailsOf(
  knex: Knex,
  { tenant, leadId }: { tenant: string; leadId: string },
): Promise<MailState[]> {
  const { rows } = await knex.raw<{ rows: Pick<OutboxRow, "campaign" | "state" | "due_at" | "reason">[] }>(
    `select campaign, state, reason, case when state = 'written' then due_at end as due_at
     from outbox where lead_id = ? and tenant = ? order by written_at desc`,
    [leadId, tenant],
  );
  return rows.map(({ campaign, state, due_at, reason }) => ({
    campaign,
    state,
    ...(due_at && { dueAt: due_at.getTime() }),
    ...(reason !== null && { reason }),
  }));
}

interface OutboxRow extends Omit<OutboxItem, "writtenAt" | "dueAt" | "sentAt" | "reason" | "messageId"> {
  written_at: Date;
  sent_at: Date | null;
  due_at: Date | null;
  reason: string | null;
  message_id: string | null;
  exact: string;
}

function itemOf({ written_at, sent_at, due_at, reason, message_id, exact: _, ...item }: OutboxRow): OutboxItem {
  return {
    ...item,
    writtenAt: written_at.getTime(),
    ...(due_at && { dueAt: due_at.getTime() }),
    ...(sent_at && { sentAt: sent_at.getTime() }),
    ...(reason !== null && { reason }),
    ...(message_id !== null && { messageId: message_id }),
  };
}
