import { createHash } from "node:crypto";
import type { Settings } from "../../config/settings.ts";

/** What sending needs, or what of it is missing. */
export type Sending =
  | { on: true; via: "smtp" | "sendgrid"; from: { name: string; address: string } }
  | { on: false; missing: string[] };

/** Is there all that a lawful e-mail needs? No postal address, no sending (15 U.S.C. 7704(a)(5)). */
export function sendingOf(settings: Settings): Sending {
  const { smtpUrl, sendgridKey, mailFrom, postalAddress, linkSecrets, publicUrl, senderName } = settings;
  const { protocol, hostname } = new URL(publicUrl);
  const here = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(hostname);
  const missing = [
    ...(smtpUrl === "" && sendgridKey === "" ? ["LEADS_SMTP_URL or LEADS_SENDGRID_KEY"] : []),
    ...(postalAddress === "" ? ["LEADS_POSTAL_ADDRESS"] : []),
    ...(mailFrom === "" ? ["LEADS_MAIL_FROM"] : []),
    ...(linkSecrets.length === 0 ? ["LEADS_LINK_SECRETS"] : []),
    // RFC 8058, 3.1: the one-click link is HTTPS. On this machine's own addresses it is a trial.
    ...(protocol === "https:" || here ? [] : ["LEADS_PUBLIC_URL with https"]),
  ];
  if (missing.length > 0) return { on: false, missing };
  return {
    on: true,
    via: smtpUrl === "" ? "sendgrid" : "smtp",
    from: { name: senderName, address: mailFrom },
  };
}

/**
 * The Message-ID of a lead's one e-mail of a campaign, with its brackets: the same however often it is written or sent,
 * and with the lead's id in it, so that an event that names it finds its row.
 */
export function messageIdOf(mail: { tenant: string; leadId: string; campaign: string }, mailFrom: string): string {
  const rest = createHash("sha256").update(`${mail.tenant}\n${mail.campaign}`).digest("hex").slice(0, 16);
  return `<${mail.leadId}.${rest}@${mailFrom.slice(mailFrom.lastIndexOf("@") + 1).toLowerCase()}>`;
}

/** The lead's id in a Message-ID of ours, or undefined. */
export function leadIdOf(messageId: string): string | undefined {
  return /^<?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[0-9a-f]{16}@[^<>\s]+>?$/.exec(messageId)?.[1];
}
