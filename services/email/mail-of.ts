import type { Settings } from "../../config/settings.ts";
import type { Lead } from "../leads/lead.ts";
import { compose, type Mail } from "./compose.ts";
import { signLink } from "./links.ts";
import { addressHash } from "./recipient.ts";
import { messageIdOf } from "./sending.ts";
import { timeZoneOf } from "./time-zones.ts";

/** An e-mail as the outbox keeps it. */
export interface OutboxMail extends Mail {
  /** The recipient's, lower case. */
  domain: string;
  /** By whose clock its recipient sleeps; null: by the tenant's. */
  timeZone: string | null;
  /** What it is sent with; null for one that may not be sent, as it has no postal address in its foot. */
  sending: { messageId: string; unsubscribeUrl: string } | null;
}

/**
 * The e-mail to a lead, as it will be sent. Without a postal address and secrets for its links it has no foot and is
 * never sent, whatever is set later. `now`: ms since 1970, the day that its links are made.
 */
export function mailOf(settings: Settings, lead: Lead, to: string, now: number): OutboxMail {
  const { tenant, leadId } = lead;
  const { publicUrl, linkSecrets, senderName, postalAddress, mailFrom, campaign } = settings;
  const maySign = linkSecrets.length > 0;
  const { origin, pathname } = new URL(publicUrl);
  const link = (path: string) => origin + pathname.replace(/\/+$/, "") + path;
  const sendable = maySign && postalAddress !== "" && mailFrom !== "";
  const unsubscribeUrl =
    sendable && link(`/u/${signLink({ purpose: "unsubscribe", tenant, address: addressHash(to) }, linkSecrets, now)}`);
  const mockupUrl =
    lead.mockup &&
    link(
      maySign
        ? `/m/${signLink({ purpose: "mockup", tenant, leadId }, linkSecrets, now)}`
        : `/v1/leads/${leadId}/mockup`,
    );
  return {
    ...compose(lead, {
      to,
      senderName,
      ...(mockupUrl && { mockupUrl }),
      ...(unsubscribeUrl && { foot: { postalAddress, unsubscribeUrl } }),
    }),
    domain: to.slice(to.lastIndexOf("@") + 1).toLowerCase(),
    timeZone: timeZoneOf(lead.fields.address) ?? null,
    sending: unsubscribeUrl ? { messageId: messageIdOf({ tenant, leadId, campaign }, mailFrom), unsubscribeUrl } : null,
  };
}
