import type { Readable } from "node:stream";
import type { Context } from "moleculer";
import { createTransport, type Transporter } from "nodemailer";
import type { Fate, Message } from "../../mixins/mail.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { fateOf, type SmtpError } from "./fate.ts";
import { mimeOf } from "./mime.ts";

interface Vars {
  pool: Transporter | undefined;
}
const vars = defineMixin<Vars>()({});

/** The longest that one delivery may take, ms. A server that trickles its replies is noticed by no socket timeout. */
const deliveryMs = 120_000;
/** A pooled connection is closed after so many messages; servers do so themselves at about this number. */
const messagesPerConnection = 100;

/** Hands messages to an SMTP server over pooled connections. Off without LEADS_SMTP_URL. docs/mail.md */
export default defineService({
  name: "smtp",
  mixins: [vars],
  actions: {
    /**
     * Hands over one message, once: answers its {@link Fate} and throws nothing. Nothing on the way repeats it, neither
     * the broker nor nodemailer's pool, which by itself queues a message again when its connection is cut.
     */
    send: {
      params: { message: "object" },
      retryPolicy: { enabled: false },
      circuitBreaker: { enabled: false },
      async handler({ params: { message } }: Context<{ message: Message }>): Promise<Fate> {
        if (!this.pool) return { kind: "unreached", reason: "no SMTP server is set" };
        let content: Readable | undefined;
        try {
          await this.pool.sendMail({
            ...mimeOf(message),
            envelope: { from: message.from.address, to: [message.to] },
            signal: AbortSignal.timeout(deliveryMs),
            /** Told by the plug-in below. */
            ...{ onContent: (stream: Readable) => (content = stream) },
          } as object);
          return { kind: "sent" };
        } catch (error) {
          return fateOf(error as SmtpError, content?.readableDidRead ?? false);
        }
      },
    },
  },
  created() {
    const { smtpUrl, mailConnections } = resourcesOf(this.broker).settings;
    if (smtpUrl === "") return;
    this.pool = createTransport({
      url: smtpUrl,
      pool: true,
      maxConnections: mailConnections,
      maxMessages: messagesPerConnection,
      // A message whose connection was cut may have arrived: it is ours to say what becomes of it.
      maxRequeues: 0,
      connectionTimeout: 10_000,
      greetingTimeout: 10_000,
      socketTimeout: 60_000,
    } as object);
    // Whoever reads the content begins to send it: that moment divides "nothing was sent" from "nobody knows".
    this.pool.use("stream", (mail: any, done: () => void) => {
      const make = mail.message.createReadStream.bind(mail.message);
      mail.message.createReadStream = (options?: object) => {
        const stream = make(options);
        mail.data.onContent?.(stream);
        return stream;
      };
      done();
    });
  },
  stopped() {
    this.pool?.close();
  },
});
