import type { Service } from "moleculer";
import type { Call, Handlers } from "../../mixins/http/call.ts";
import type { Answer } from "../../mixins/http/send.ts";
import { leadIdOf, logged, mockupPolicy, told } from "./calls.ts";
import type { mailOperations } from "./mail-operations.ts";

/** A page of ours with one form that posts to its own address. */
const formPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** What answers the operations about e-mails: the `email` and `mail` services do, this passes on. */
export const mailHandlers: Handlers<(typeof mailOperations)[number]["id"], Service> = {
  settleMail(call) {
    return logged(this.broker, call, "mail.settle", ["as", "campaign"], async () => ({
      json: await call.ctx.call("email.settle", { ...told(call), tenant: call.tenant, id: leadIdOf(call) }),
    }));
  },
  async getMail({ ctx, tenant }) {
    return { json: await ctx.call("mail.settings", { tenant }) };
  },
  changeMail(call) {
    return logged(this.broker, call, "mail.change", ["suppressAcross", "timeZone", "dayLimit"], async () => ({
      json: await call.ctx.call("mail.change", { ...told(call), tenant: call.tenant }),
    }));
  },
  resumeMail(call) {
    const { ctx, tenant } = call;
    return logged(this.broker, call, "mail.resume", [], async () => ({
      json: await ctx.call("mail.resume", { tenant }),
    }));
  },
  async mailEvents(call) {
    const signed = {
      signature: call.header("X-Twilio-Email-Event-Webhook-Signature"),
      timestamp: call.header("X-Twilio-Email-Event-Webhook-Timestamp"),
      plain: call.header("Leads-Signature"),
    };
    const given = Object.fromEntries(Object.entries(signed).filter(([, value]) => value !== undefined));
    return { json: await call.ctx.call("mail.events", { ...given, body: call.raw.toString("base64") }) };
  },
  askUnsubscribe: (call) => linked(call, "mail.unsubscribePage", formPolicy),
  unsubscribe: (call) => linked(call, "mail.unsubscribe", formPolicy),
  openMockup: (call) => linked(call, "mail.mockup", mockupPolicy),
};

/** What a link in an e-mail opens. It is one person's: nobody keeps or lists it. */
async function linked({ ctx, params }: Call, action: string, policy: string): Promise<Answer> {
  const { status, html } = await ctx.call<{ status: number; html: string }, object>(action, {
    token: params["token"]!,
  });
  return { status, html, headers: { "Content-Security-Policy": policy, "X-Robots-Tag": "noindex, nofollow" } };
}
