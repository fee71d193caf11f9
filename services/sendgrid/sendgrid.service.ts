import type { Context } from "moleculer";
import { request } from "undici";
import type { Fate, Message } from "../../mixins/mail.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineService } from "../../mixins/schema.ts";
import { bodyOf, fateOfAnswer, fateOfFault } from "./send.ts";

/** SendGrid answers within a second or two; after this nobody knows, ms. */
const answerMs = 30_000;

/** Hands messages to SendGrid's Mail Send API (v3). Off without LEADS_SENDGRID_KEY. docs/mail.md */
export default defineService({
  name: "sendgrid",
  actions: {
    /** Hands over one message, once: answers its {@link Fate} and throws nothing. Nothing on the way repeats it. */
    send: {
      params: { message: "object" },
      retryPolicy: { enabled: false },
      circuitBreaker: { enabled: false },
      async handler({ params: { message } }: Context<{ message: Message }>): Promise<Fate> {
        const { sendgridKey, sendgridUrl } = resourcesOf(this.broker).settings;
        if (sendgridKey === "") return { kind: "unreached", reason: "no SendGrid key is set" };
        try {
          const { statusCode, body } = await request(new URL("/v3/mail/send", sendgridUrl), {
            method: "POST",
            headers: { authorization: `Bearer ${sendgridKey}`, "content-type": "application/json" },
            body: JSON.stringify(bodyOf(message)),
            signal: AbortSignal.timeout(answerMs),
            headersTimeout: answerMs,
          });
          // Read to its end, so that the connection serves the next one.
          await body.dump();
          return fateOfAnswer(statusCode);
        } catch (error) {
          return fateOfFault(error as Error & { code?: string });
        }
      },
    },
  },
});
