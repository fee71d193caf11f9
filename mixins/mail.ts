/** What a way of sending (`smtp.send`, `sendgrid.send`) is given and what it says. */

export interface Message {
  from: { name: string; address: string };
  /** One plain address. */
  to: string;
  /** One line. */
  subject: string;
  text: string;
  html: string;
  /** With its angle brackets; the same at every try. */
  messageId: string;
  /** Where a POST unsubscribes (RFC 8058). */
  unsubscribeUrl: string;
  /** Which e-mail of ours it is and which try, for the events that come back. */
  reference: { tenant: string; leadId: string; campaign: string; attempt: number };
}

/**
 * What became of a message that was handed over.
 * - `sent`: the other side took it on itself.
 * - `refused`: it said no, for now or for good. `recipient`: it is the address that it does not take.
 * - `unreached`: it never had the whole of it; nothing was sent, and others would fare alike.
 * - `unknown`: the way broke after it may have had the whole of it.
 */
export type Fate =
  | { kind: "sent" }
  | { kind: "refused"; permanent: boolean; recipient: boolean; reason: string }
  | { kind: "unreached"; reason: string }
  | { kind: "unknown"; reason: string };
