import type { Fate } from "../../mixins/mail.ts";

/** What nodemailer's errors carry. */
export interface SmtpError {
  code?: string;
  /** What was said last: `CONN`, `MAIL FROM`, `RCPT TO`, `DATA`… */
  command?: string;
  /** The server's reply code, where there was a reply. */
  responseCode?: number;
  /** The reply, its lines in one. */
  response?: string;
}

/** The enhanced status code of a reply (RFC 3463): `5.1.1` of `550 5.1.1 No such user`; empty where there is none. */
const statusOf = ({ response = "" }: SmtpError) => /^\d{3}[ -]([45]\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1] ?? "";
/** Bad sender's mailbox, or system: many servers look at the sender when they are told the recipient. */
const aboutSender = /^[45]\.1\.[78]$/;
const aboutAddress = /^5\.1\.\d+$/;
/** Replies about a mailbox, by RFC 5321, 4.2.3, and RFC 7504. */
const aboutMailbox = new Set([550, 551, 553, 556]);

/**
 * What became of a message whose delivery failed. `begun`: a byte of its content was asked for, which is after the
 * server's 354. A reply of 4xx or 5xx is a refusal whenever it comes (RFC 5321, 4.2.5: the sender keeps the
 * responsibility); without a reply nobody knows what became of content that had begun.
 *
 * A refusal of the sender meets all others too. One of the recipient is the last word where it is about the address; any other
 * (`554 5.7.1 Relay access denied`) may be about us.
 */
export function fateOf(error: SmtpError, begun: boolean): Fate {
  const { code = "", command = "", responseCode: reply } = error;
  const status = statusOf(error);
  const reason = [command, reply ?? code, status].filter((part) => part !== "").join(" ");
  if (reply !== undefined && reply >= 400 && reply <= 599) {
    // What the server says before it has heard of this message is against all of them.
    if (!/^(MAIL FROM|RCPT TO|DATA)$/.test(command)) return begun ? refusal(reply, reason) : unreached(reason);
    if (reply === 421 && !begun) return unreached(reason);
    if (command === "MAIL FROM" || (command === "RCPT TO" && aboutSender.test(status))) return unreached(reason);
    if (command !== "RCPT TO") return refusal(reply, reason);
    const unknown = status === "" ? aboutMailbox.has(reply) : reply >= 500 && aboutAddress.test(status);
    return { kind: "refused", permanent: unknown, recipient: unknown, reason };
  }
  // Its own checks of the envelope, before anything was sent.
  if (code === "EENVELOPE" && command === "API")
    return { kind: "refused", permanent: true, recipient: false, reason: "the envelope cannot be" };
  return begun ? { kind: "unknown", reason } : unreached(reason);
}

const refusal = (reply: number, reason: string): Fate => ({
  kind: "refused",
  permanent: reply >= 500,
  recipient: false,
  reason,
});
const unreached = (reason: string): Fate => ({ kind: "unreached", reason });
