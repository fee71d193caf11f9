import { createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import { leadIdOf } from "./sending.ts";

/** Something that happened to an e-mail after it was handed over, as its provider says. */
export interface MailEvent {
  /** The provider's own, the same at every repeat. */
  id: string;
  kind: (typeof kinds)[number];
  /** ms since 1970 */
  at: number;
  leadId: string;
  messageId?: string;
  /** What we gave along, where the provider gives it back. */
  reference?: { tenant: string; campaign: string };
  /** Of which try, where that is known. */
  attempt?: number;
  reason?: string;
}

export const kinds = [
  "accepted",
  "delivered",
  "opened",
  "soft_bounce",
  "hard_bounce",
  "dropped",
  "complaint",
  "unsubscribed",
] as const;

/** A signed time may differ from ours by this much, ms: what was overheard cannot be said again later. */
const oldestMs = 600_000;

const isFresh = (seconds: string, now: number) =>
  /^\d{9,11}$/.test(seconds) && Math.abs(now - Number(seconds) * 1_000) <= oldestMs;

/**
 * SendGrid's signature: ECDSA P-256 over SHA-256 of the timestamp's text and the body as it came; DER, base64.
 * https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
 */
export function isSendgrids(
  body: Buffer,
  { signature, timestamp }: { signature: string; timestamp: string },
  publicKey: string,
  now: number,
): boolean {
  if (publicKey === "" || !isFresh(timestamp, now)) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" });
    return verify("sha256", Buffer.concat([Buffer.from(timestamp), body]), key, Buffer.from(signature, "base64"));
  } catch {
    return false; // A key or a signature that is none.
  }
}

/** The plain format's signature: `t=<seconds>,v1=<hex HMAC-SHA256 of "<seconds>." and the body as it came>`. */
export function isPlain(body: Buffer, signature: string, secrets: readonly string[], now: number): boolean {
  const [, seconds = "", hex = ""] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
  if (!isFresh(seconds, now)) return false;
  const given = Buffer.from(hex, "hex");
  return secrets.some((secret) =>
    timingSafeEqual(createHmac("sha256", secret).update(`${seconds}.`).update(body).digest(), given),
  );
}

/** What was sent and is no list of events. */
export class EventsError extends Error {}

/** Reads the plain format: `{ "events": [{ "id", "messageId", "kind", "at", "attempt"?, "reason"? }] }`. */
export function readPlain(body: Buffer): MailEvent[] {
  const { events } = (parse(body) ?? {}) as { events?: unknown };
  if (!Array.isArray(events)) throw new EventsError("`events` is not a list");
  return events.map((event, n) => {
    const { id, messageId, kind, at, attempt, reason } = (event ?? {}) as Record<string, unknown>;
    const leadId = typeof messageId === "string" ? leadIdOf(messageId) : undefined;
    if (typeof id !== "string" || id === "" || id.length > 200) throw new EventsError(`events[${n}].id is no id`);
    if (leadId === undefined) throw new EventsError(`events[${n}].messageId is none of ours`);
    if (!kinds.some((known) => known === kind))
      throw new EventsError(`events[${n}].kind is not one of ${kinds.join(", ")}`);
    if (!isTime(at)) throw new EventsError(`events[${n}].at is not ms since 1970`);
    return {
      id,
      kind: kind as MailEvent["kind"],
      at,
      leadId,
      messageId: bracketed(messageId as string),
      ...(Number.isInteger(attempt) && { attempt: attempt as number }),
      ...(typeof reason === "string" && { reason: oneLine(reason) }),
    };
  });
}

/**
 * Reads SendGrid's events. Left out are clicks, which are not tracked, deferrals, which SendGrid tries again itself, opens
 * by a machine (Apple's Mail Privacy Protection loads every e-mail, read or not), and other programs' e-mails.
 * https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
 */
export function readSendgrid(body: Buffer): MailEvent[] {
  const events = parse(body);
  if (!Array.isArray(events)) throw new EventsError("the body is not a list of events");
  return events.flatMap((event): MailEvent[] => {
    const told = (event ?? {}) as Record<string, unknown>;
    const { sg_event_id: id, timestamp, lead_tenant: tenant, lead_id: leadId, lead_campaign: campaign } = told;
    const kind = kindOf(told);
    const at = Number(timestamp) * 1_000;
    if (kind === undefined || typeof id !== "string" || id === "" || id.length > 200 || !isTime(at)) return [];
    if (typeof tenant !== "string" || typeof campaign !== "string" || typeof leadId !== "string") return [];
    if (!uuid.test(leadId)) return [];
    const attempt = Number(told["lead_attempt"]);
    return [
      {
        id,
        kind,
        at,
        leadId,
        reference: { tenant, campaign },
        ...(Number.isInteger(attempt) && attempt > 0 && { attempt }),
        ...(typeof told["reason"] === "string" && { reason: oneLine(told["reason"]) }),
      },
    ];
  });
}

function kindOf({
  event,
  type,
  reason,
  sg_machine_open: byMachine,
}: Record<string, unknown>): MailEvent["kind"] | undefined {
  switch (event) {
    case "processed":
      return "accepted";
    case "delivered":
      return "delivered";
    case "open":
      return byMachine === true ? undefined : "opened";
    case "bounce":
      // "blocked": the server did not take it this time; the address may well be good.
      return type === "blocked" ? "soft_bounce" : "hard_bounce";
    case "dropped":
      // What SendGrid's own lists of suppressions say of the address.
      if (/^(bounced address|invalid)/i.test(String(reason))) return "hard_bounce";
      return /^(unsubscribed address|spam reporting address)/i.test(String(reason)) ? "unsubscribed" : "dropped";
    case "spamreport":
      return "complaint";
    case "unsubscribe":
    case "group_unsubscribe":
      return "unsubscribed";
    default:
      return undefined;
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** What PostgreSQL and a Date both hold. */
const isTime = (at: unknown): at is number => Number.isFinite(at) && (at as number) > 0 && (at as number) < 1e14;
const bracketed = (messageId: string) => (messageId.startsWith("<") ? messageId : `<${messageId}>`);
const oneLine = (text: string) => text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").slice(0, 200);

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new EventsError("the body is not JSON in UTF-8");
  }
}
