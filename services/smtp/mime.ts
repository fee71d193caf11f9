import type { Message } from "../../mixins/mail.ts";

/** A message as nodemailer takes it: text and HTML, and the headers of one-click unsubscription (RFC 8058). */
export function mimeOf({ from, to, subject, text, html, messageId, unsubscribeUrl }: Omit<Message, "reference">) {
  return {
    from,
    to,
    subject,
    text,
    html,
    messageId,
    headers: {
      "List-Unsubscribe": `<${unsubscribeUrl}>`,
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
    // Nothing in an e-mail is read from a file or fetched.
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
