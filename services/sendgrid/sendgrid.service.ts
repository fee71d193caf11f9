import type { Context } from "moleculer";
import { request } from "undici";
import type { Fate, Handing, Message } from "../../mixins/mail.ts";
import { meterOf } from "../../mixins/metrics.ts";
import { type ProviderMeter, providerMeter } from "../../mixins/provider/meter.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { bodyOf, effectOf, fateOfAnswer, fateOfFault, fateOfRefusal, isSpent, type Reserved } from "./send.ts";

interface Vars {
  meter: ProviderMeter;
}

/** The reservation outlives the request by this, ms. */
const settleMs = 5_000;
/** How the meter of providers calls what came of a request. */
const results = { sent: "good", refused: "never", unreached: "unsent", unknown: "unanswered" } as const;

/**
 * Hands messages to SendGrid's Mail Send API (v3), each paid for in the ledger. Off without LEADS_SENDGRID_KEY. Not on
 * the mixin of providers: that sorts an answer into "again later" and "never", and an e-mail's try has a fate. docs/mail.md
 */
export default defineService({
  name: "sendgrid",
  mixins: [defineMixin<Vars>()({})] as const,
  methods: {
    /** Makes the request, once. Throws nothing. */
    async hand(message: Message): Promise<Handing> {
      const { sendgridKey, sendgridUrl, openTracking, providerTimeoutMs } = resourcesOf(this.broker).settings;
      const told = this.meter.call();
      const answered = (fate: Handing) => {
        told(results[fate.kind]);
        return fate;
      };
      try {
        const { statusCode, body } = await request(new URL("/v3/mail/send", sendgridUrl), {
          method: "POST",
          headers: { authorization: `Bearer ${sendgridKey}`, "content-type": "application/json" },
          body: JSON.stringify(bodyOf(message, { openTracking: openTracking === "on" })),
          signal: AbortSignal.timeout(providerTimeoutMs),
          headersTimeout: providerTimeoutMs,
        });
        // Read to its end, so that the connection serves the next one.
        await body.dump();
        return answered(fateOfAnswer(statusCode));
      } catch (error) {
        return answered(fateOfFault(error as Error & { code?: string }));
      }
    },
  },
  actions: {
    /**
     * Hands over one message, once: reserves what it costs, makes the request, and settles what SendGrid has or may have.
     * Answers the message's {@link Fate} and throws nothing. Nothing on the way repeats it.
     */
    send: {
      params: { message: "object" },
      retryPolicy: { enabled: false },
      circuitBreaker: { enabled: false },
      async handler(ctx: Context<{ message: Message }>): Promise<Fate> {
        const { message } = ctx.params;
        const { sendgridKey, sendgridMicro, providerTimeoutMs } = resourcesOf(this.broker).settings;
        if (sendgridKey === "") return { kind: "unreached", reason: "no SendGrid key is set" };
        if (sendgridMicro === 0) return this.hand(message);
        const { tenant, leadId } = message.reference;
        const key = { tenant, effectKey: effectOf(message) };
        let reserved: Reserved;
        try {
          reserved = await ctx.call<Reserved, object>("budget.reserve", {
            ...key,
            provider: this.name,
            amountMicro: sendgridMicro,
            essential: true,
            leadId,
            holdMs: providerTimeoutMs + settleMs,
          });
        } catch (error) {
          // Whatever became of the reservation: no request was made.
          return { kind: "unreached", reason: `the ledger: ${(error as Error).message}` };
        }
        if (reserved.kind !== "granted") return fateOfRefusal(reserved);
        const fate = await this.hand(message);
        const close = isSpent(fate) ? "settle" : "release";
        if (close === "settle") this.meter.cost(sendgridMicro);
        // A ledger that is gone meanwhile changes nothing of what became of the e-mail: the sweep books it as spent.
        await ctx.call(`budget.${close}`, { ...key, reservation: reserved.reservation }).catch((error: Error) => {
          this.logger.warn("a reservation is left to the sweep", { ...key, reason: error.message });
        });
        return fate;
      },
    },
  },
  created() {
    this.meter = providerMeter(meterOf(this.broker), this.name);
  },
});
