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
 * What became of a message that was handed over, or was to be.
 * - `sent`: the other side took it on itself.
 * - `refused`: it said no, for now or for good. `recipient`: it is the address that it does not take.
 * - `unreached`: it never had the whole of it; nothing was sent, and others would fare alike.
 * - `unknown`: the way broke after it may have had the whole of it.
 * - `unpaid`: it may not be paid for, so nothing was sent, and nothing follows for others. `until` is when it may be tried
 *   again, ms since 1970, or null where its tenant wants no more of it or no window will do. `over_budget`: its tenant's
 *   money is spent; `held`: an earlier reservation of this very try is still open.
 */
export type Fate = Handing | { kind: "unpaid"; until: number | null; reason: "over_budget" | "held" };
export type Handing =
  | { kind: "sent" }
  | { kind: "refused"; permanent: boolean; recipient: boolean; reason: string }
  | { kind: "unreached"; reason: string }
  | { kind: "unknown"; reason: string };
