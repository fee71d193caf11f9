const error = (message: string) => ({ errors: [{ message, field: "null" }] });

/** The examples of the answers of Mail Send, https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send, by HTTP status. */
export const errors: Readonly<Record<number, object>> = {
  400: error("invalid request"),
  401: error("authorization required"),
  403: error("access forbidden"),
  404: error("not found"),
  405: error("method not allowed"),
  413: error("content too large"),
  500: { errors: [{ message: "internal server error" }] },
};

const common = {
  email: "example@test.com",
  timestamp: 1513299569,
  "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
};
const ids = { category: "cat facts", sg_event_id: "sg_event_id", sg_message_id: "sg_message_id" };
const useragent = "Mozilla/4.0 (compatible; MSIE 6.1; Windows XP; .NET CLR 1.1.4322; .NET CLR 2.0.50727)";

/** The events of the example of https://docs.sendgrid.com/for-developers/tracking-events/event, without those of its groups. */
export const events = [
  { ...common, event: "processed", ...ids },
  { ...common, event: "deferred", ...ids, response: "400 try again later", attempt: "5" },
  { ...common, event: "delivered", ...ids, response: "250 OK" },
  { ...common, event: "open", ...ids, useragent, ip: "255.255.255.255" },
  { ...common, event: "click", ...ids, useragent, ip: "255.255.255.255", url: "http://www.sendgrid.com/" },
  { ...common, event: "bounce", ...ids, reason: "500 unknown recipient", status: "5.0.0" },
  { ...common, event: "dropped", ...ids, reason: "Bounced Address", status: "5.0.0" },
  { ...common, event: "spamreport", ...ids },
  { ...common, event: "unsubscribe", ...ids },
];
