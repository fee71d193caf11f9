import type { Knex } from "knex";
import { statement, transaction } from "../../mixins/knex.ts";
import type { MailEvent } from "./events.ts";
import { count, stopWhereBad } from "./fates.sql.ts";
import { isEmptied, type SuppressionReason, suppress } from "./suppressions.sql.ts";

/** What became of an event: `repeat` was had before, `stranger` names no e-mail of ours. */
export type Applied = "applied" | "repeat" | "stranger";

/** Tries of an e-mail that bounces softly; then it has failed. */
const mostAttempts = 3;
/** How long a full mailbox or a server in trouble is given, ms. */
const softWaitMs = 4 * 3_600_000;

interface Row {
  tenant: string;
  lead_id: string;
  campaign: string;
  state: string;
  address: Buffer;
  attempts: number;
  sent_at: Date | null;
  opened: boolean;
  /** By an erasure: it cannot be sent again. */
  emptied: boolean;
}

/** How a state follows from an event; undefined: it does not. */
interface Step {
  state?: "sent" | "written" | "failed" | "bounced" | "complained";
  opened?: true;
  suppressed?: SuppressionReason;
  counted?: { sent?: number; bounced?: number; complained?: number };
}

/**
 * Applies one event to the e-mail that it names, in one transaction: the row is locked, the event's id is noted, so that
 * a repeat does nothing; an open is one when the e-mail was opened before. Events come in any order: an old one never
 * undoes what a later one said.
 */
export async function applyEvent(knex: Knex, event: MailEvent): Promise<Applied> {
  return transaction(knex, async (trx) => {
    const row = await rowOf(trx, event);
    if (!row) return "stranger";
    const key = [row.tenant, row.lead_id, row.campaign];
    // Looked for before the event itself is noted.
    const { rows: soft } = await trx.raw(
      "select 1 from mail_events where tenant = ? and lead_id = ? and campaign = ? and kind = 'soft_bounce' limit 1",
      key,
    );
    const step = stepOf(event, row, soft.length > 0);
    // The row itself says that it was opened. When, and how often, is its reader's own business: no open is noted.
    const isNew = event.kind === "opened" ? Object.keys(step).length > 0 : await note(trx, key, event);
    if (!isNew) return "repeat";
    // What a server says may name the address.
    const reason = row.emptied ? null : (event.reason ?? null);
    // It was sent, also one that bounced softly and waits: what a sender tells late of that try is known.
    if (step.state !== undefined)
      await trx.raw(
        `update outbox set state = ?, reason = ?, lease_until = null, slot_at = null,
           sent_at = coalesce(sent_at, now()),
           due_at = case when ?::text = 'written' then now() + make_interval(secs => ?::float8 / 1000) else due_at end
         where tenant = ? and lead_id = ? and campaign = ?`,
        [step.state, reason, step.state, softWaitMs * row.attempts, ...key],
      );
    if (step.opened)
      await trx.raw("update outbox set opened = true where tenant = ? and lead_id = ? and campaign = ?", key);
    if (step.suppressed) await suppress(trx, [{ tenant: row.tenant, address: row.address, reason: step.suppressed }]);
    if (step.counted) {
      await count(trx, row.tenant, step.counted);
      await stopWhereBad(trx, row.tenant);
    }
    return "applied";
  });
}

/** Notes an event's id; false: it was noted before. */
async function note(trx: Knex.Transaction, key: readonly string[], { id, kind, at }: MailEvent): Promise<boolean> {
  const { rowCount } = await trx.raw(
    `insert into mail_events (tenant, lead_id, campaign, event_id, kind, at)
     values (?, ?, ?, ?, ?, to_timestamp(?::float8 / 1000)) on conflict do nothing`,
    [...key, id, kind, at],
  );
  return rowCount > 0;
}

async function rowOf(trx: Knex.Transaction, { reference, leadId, messageId }: MailEvent): Promise<Row | undefined> {
  const { rows } = await trx.raw(
    `select tenant, lead_id, campaign, state, address, attempts, sent_at, opened,
       ${isEmptied("outbox")} as emptied
     from outbox
     where lead_id = ? and attempts > 0 and ${reference ? "tenant = ? and campaign = ?" : "message_id = ?"} for update`,
    reference ? [leadId, reference.tenant, reference.campaign] : [leadId, messageId!],
  );
  return rows[0];
}

/** A try that nobody has told the end of. */
const isOpen = (state: string) => state === "sending" || state === "unknown";

function stepOf({ kind, at, attempt }: MailEvent, row: Row, bouncedBefore: boolean): Step {
  const { state } = row;
  // Without the number of the try, its time tells a late word of an earlier try.
  const isOfThisTry =
    attempt === undefined ? row.sent_at === null || at >= row.sent_at.getTime() - 60_000 : attempt === row.attempts;
  const sentToo = isOpen(state) ? { sent: 1 } : {};
  switch (kind) {
    case "accepted":
    case "delivered":
    case "opened": {
      // Somebody said that it was not sent, and was wrong: it is not sent again.
      const wronglyWritten = (state === "written" || state === "claimed") && !bouncedBefore;
      return {
        ...(isOfThisTry && (isOpen(state) || wronglyWritten) && { state: "sent", counted: { sent: 1 } }),
        // Of an erased one nothing new is kept.
        ...(kind === "opened" && !row.opened && !row.emptied && { opened: true }),
      };
    }
    case "soft_bounce":
      if (!isOfThisTry || !(isOpen(state) || state === "sent")) return {};
      return { state: row.attempts < mostAttempts && !row.emptied ? "written" : "failed", counted: sentToo };
    case "dropped":
      return isOfThisTry && (isOpen(state) || state === "sent") ? { state: "failed", counted: sentToo } : {};
    case "hard_bounce":
      return {
        ...(state !== "complained" && { state: "bounced" }),
        suppressed: "hard_bounce",
        counted: { ...sentToo, ...(state !== "bounced" && { bounced: 1 }) },
      };
    case "complaint":
      return {
        state: "complained",
        suppressed: "complaint",
        counted: { ...sentToo, ...(state !== "complained" && { complained: 1 }) },
      };
    case "unsubscribed":
      return { suppressed: "unsubscribed" };
    default:
      return kind satisfies never;
  }
}

/** Forgets events that are no longer repeated and domains that nobody was written to for a day. */
export async function forgetOld(knex: Knex): Promise<void> {
  await statement(() => knex.raw("delete from mail_events where received_at < now() - interval '30 days'"));
  await statement(() =>
    knex.raw(
      `delete from mail_pace where domain in
         (select domain from mail_pace where next_at < now() - interval '1 day' limit 10000 for update skip locked)`,
    ),
  );
}
