import type { Operation, Parameter } from "../../mixins/http/operation.ts";
import { ref, text } from "./schema-words.ts";

/** The part of the table that is about sending e-mails and what comes of them. */

const id: Parameter = { description: "The lead's id.", schema: { type: "string" } };
const token: Parameter = { description: "Signed, from the e-mail.", schema: { type: "string" } };
const refusedLink = {
  description: "Nobody signed this link, or it is too old.",
  type: "text/html",
  schema: text,
} as const;

export const mailOperations = [
  {
    id: "settleMail",
    method: "POST",
    path: "/v1/outbox/{id}/settle",
    scope: "operate",
    summary: "Settles an e-mail whose fate is unknown",
    description:
      "A sender died, or its connection broke, while it handed the e-mail over. `sent`: it was; `not_sent`: it was not, and is sent now. A repeat changes nothing.",
    params: { id },
    body: { types: { "application/json": ref("Settlement") } },
    answers: { 200: { description: "Settled.", type: "application/json", schema: ref("Settled") } },
    errors: ["NOT_FOUND", "VALIDATION", "CONFLICT"],
  },
  {
    id: "getMail",
    method: "GET",
    path: "/v1/mail",
    scope: "read",
    summary: "How e-mails are sent, and why not",
    answers: { 200: { description: "Settings and counts.", type: "application/json", schema: ref("Mail") } },
  },
  {
    id: "changeMail",
    method: "PUT",
    path: "/v1/mail",
    scope: "operate",
    summary: "Changes how e-mails are sent",
    description: "What is not named stays.",
    body: { types: { "application/json": ref("MailChange") } },
    answers: { 200: { description: "Settings and counts.", type: "application/json", schema: ref("Mail") } },
    errors: ["VALIDATION"],
  },
  {
    id: "resumeMail",
    method: "POST",
    path: "/v1/mail/resume",
    scope: "operate",
    summary: "Sends again after too many bounces or complaints",
    description: "What bounced before counts no more.",
    answers: { 200: { description: "Settings and counts.", type: "application/json", schema: ref("Mail") } },
  },
  {
    id: "mailEvents",
    method: "POST",
    path: "/v1/webhooks/email",
    scope: null,
    summary: "Takes in what became of e-mails",
    description:
      'SendGrid\'s signed events, or `{"events": […]}` signed by `Leads-Signature: t=<seconds>,v1=<hex HMAC-SHA256 of the seconds, a dot and the body>`. Repeats and disorder do no harm; that an e-mail is opened is news once, and then a repeat. docs/mail.md',
    headers: {
      "Leads-Signature": { description: "Of the plain format.", schema: { type: "string" } },
      "X-Twilio-Email-Event-Webhook-Signature": { description: "SendGrid's.", schema: { type: "string" } },
      "X-Twilio-Email-Event-Webhook-Timestamp": { description: "SendGrid's.", schema: { type: "string" } },
    },
    signed: { by: ["Leads-Signature", "X-Twilio-Email-Event-Webhook-Signature"], atOnce: 32 },
    // It goes on in base64, in a message of 8 MB at the most.
    body: { raw: 4_194_304, types: { "application/json": { type: ["object", "array"] } } },
    answers: { 200: { description: "Taken in.", type: "application/json", schema: ref("EventsTaken") } },
    errors: ["OUTAGE"],
  },
  {
    id: "askUnsubscribe",
    method: "GET",
    path: "/u/{token}",
    scope: null,
    limited: true,
    summary: "The page that an unsubscribe link opens",
    description: "It asks, and changes nothing.",
    params: { token },
    answers: { 200: { description: "The page.", type: "text/html", schema: text }, 403: refusedLink },
    errors: ["OUTAGE"],
  },
  {
    id: "unsubscribe",
    method: "POST",
    path: "/u/{token}",
    scope: null,
    limited: true,
    summary: "Unsubscribes (RFC 8058)",
    params: { token },
    body: {
      raw: 4_096,
      types: {
        "application/x-www-form-urlencoded": { type: "string", description: "List-Unsubscribe=One-Click" },
        "multipart/form-data": { type: "string", description: "The same." },
      },
    },
    answers: { 200: { description: "Done.", type: "text/html", schema: text }, 403: refusedLink },
    errors: ["OUTAGE"],
  },
  {
    id: "openMockup",
    method: "GET",
    path: "/m/{token}",
    scope: null,
    limited: true,
    summary: "The mock-up, for whom it was made",
    description: "By the link in the e-mail.",
    params: { token },
    answers: {
      200: { description: "The page.", type: "text/html", schema: text },
      403: refusedLink,
      404: { description: "It was taken away.", type: "text/html", schema: text },
    },
    errors: ["OUTAGE"],
  },
] as const satisfies readonly Operation[];
