import type { Fate } from "../../mixins/mail.ts";

/** What nodemailer's errors carry. */
export interface SmtpError {
  code?: string;
  /** What was said last: `CONN`, `MAIL FROM`, `RCPT TO`, `DATA`… */
  command?: string;
  /** The server's reply code, where there was a reply. */
  responseCode?: number;
}

/**
 * What became of a message whose delivery failed. `begun`: a byte of its content was asked for, which is after the
 * server's 354. A reply of 4xx or 5xx is a refusal whenever it comes (RFC 5321, 4.2.5: the sender keeps the
 * responsibility); without a reply nobody knows what became of content that had begun.
 */
export function fateOf(error: SmtpError, begun: boolean): Fate {
  const { code = "", command = "", responseCode: reply } = error;
  const reason = [command, reply ?? code].filter((part) => part !== "").join(" ");
  if (reply !== undefined && reply >= 400 && reply <= 599) {
    // What the server says before it has heard of this message is against all of them.
    if (!/^(MAIL FROM|RCPT TO|DATA)$/.test(command)) return begun ? refusal(reply, command, reason) : unreached(reason);
    return reply === 421 && !begun ? unreached(reason) : refusal(reply, command, reason);
  }
  // Its own checks of the envelope, before anything was sent.
  if (code === "EENVELOPE" && command === "API")
    return { kind: "refused", permanent: true, recipient: false, reason: "the envelope cannot be" };
  return begun ? { kind: "unknown", reason } : unreached(reason);
}

function refusal(reply: number, command: string, reason: string): Fate {
  return { kind: "refused", permanent: reply >= 500, recipient: command === "RCPT TO", reason };
}
const unreached = (reason: string): Fate => ({ kind: "unreached", reason });
