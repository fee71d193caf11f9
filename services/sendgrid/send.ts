import type { Fate, Handing, Message } from "../../mixins/mail.ts";

/** What the ledger says of a reservation (`budget.reserve`). */
export type Reserved =
  | { kind: "granted"; reservation: string }
  | { kind: "booked" }
  | { kind: "held"; until: number }
  | { kind: "over"; until: number | null; overBudget: "wait" | "complete" | "without" };

/**
 * Names a try of an e-mail for the ledger: a Message-ID of ours (its part before the @ names tenant, lead and campaign; the
 * domain may be too long for a key) and which try it is. A try that reached nobody is the same one when it is made again.
 */
export function effectOf({ messageId, reference }: Pick<Message, "messageId" | "reference">): string {
  return `sendgrid ${messageId.replace(/^<|@.*$/g, "")} ${reference.attempt}`;
}

/**
 * What becomes of an e-mail that the ledger grants nothing. An e-mail cannot go on without being sent: under `without` it
 * waits. One that fits into no window at all never goes.
 */
export function fateOfRefusal(reserved: Exclude<Reserved, { kind: "granted" }>): Fate {
  switch (reserved.kind) {
    case "over":
      return {
        kind: "unpaid",
        until: reserved.overBudget === "complete" ? null : reserved.until,
        reason: "over_budget",
      };
    case "held":
      return { kind: "unpaid", until: reserved.until, reason: "held" };
    case "booked":
      return { kind: "unknown", reason: "the ledger says that this try was made before" };
    default:
      return reserved satisfies never;
  }
}

/** Does a fate cost? What SendGrid has, or may have. */
export const isSpent = ({ kind }: Fate): boolean => kind === "sent" || kind === "unknown";

/**
 * The body of Mail Send: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
 * Unsubscribing is ours, so SendGrid's own is off, and no link is rewritten: tracking would open what a preview opens.
 * Whether opens are tracked is said either way, so that what is set in SendGrid's account does not decide it.
 */
export function bodyOf(message: Message, { openTracking }: { openTracking: boolean }): object {
  const { from, to, subject, text, html, messageId, unsubscribeUrl, reference } = message;
  return {
    personalizations: [
      {
        to: [{ email: to }],
        // Come back with every event. The values must be text.
        custom_args: {
          lead_tenant: reference.tenant,
          lead_id: reference.leadId,
          lead_campaign: reference.campaign,
          lead_attempt: String(reference.attempt),
        },
      },
    ],
    from: { email: from.address, name: from.name },
    subject,
    content: [
      { type: "text/plain", value: text },
      { type: "text/html", value: html },
    ],
    headers: {
      "Message-ID": messageId,
      "List-Unsubscribe": `<${unsubscribeUrl}>`,
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
    tracking_settings: {
      click_tracking: { enable: false, enable_text: false },
      open_tracking: { enable: openTracking },
      subscription_tracking: { enable: false },
    },
  };
}

/** What an answer's status says. 202 is the only one that accepts. */
export function fateOfAnswer(status: number): Handing {
  const reason = `SendGrid answered ${status}`;
  if (status === 202) return { kind: "sent" };
  // About this message.
  if (status === 400 || status === 413) return { kind: "refused", permanent: true, recipient: false, reason };
  // The key, the quota, too many at once, another place, not at home: nothing was taken, and others would fare alike. 200 is
  // the sandbox: checked and not sent.
  if (status === 200 || status === 503 || (status >= 300 && status < 500)) return { kind: "unreached", reason };
  // A fault on its side may have come after it took the message.
  return { kind: "unknown", reason };
}

/** Faults before a connection stood: not a byte was sent. */
const beforeConnecting = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** What a fault of the way says. */
export function fateOfFault({ code, name }: { code?: string; name: string }): Handing {
  const reason = code ?? name;
  return beforeConnecting.has(reason) ? { kind: "unreached", reason } : { kind: "unknown", reason };
}
