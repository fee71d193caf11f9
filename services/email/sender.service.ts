import type { ServiceBroker } from "moleculer";
import type { Fate, Message } from "../../mixins/mail.ts";
import { meterOf } from "../../mixins/metrics.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import type { Handed } from "./claims.sql.ts";
import { quietHoursOf } from "./quiet-hours.ts";
import { Sender } from "./sender.ts";
import { sendingOf } from "./sending.ts";
import { ensureSetAside, writeSetAside } from "./set-aside.ts";

interface Vars {
  senders: Sender[];
}
const vars = defineMixin<Vars>()({});

/** Longer than a way of sending takes at the most: its answer is waited for, ms. */
const answerMs = 150_000;
/** Errors of a call that reached nobody. */
const unreached = new Set(["SERVICE_NOT_FOUND", "SERVICE_NOT_AVAILABLE", "QUEUE_FULL", "MAX_CALL_LEVEL"]);

/**
 * Sends what is due in the outbox. A service of its own beside the stage: a lead has reached its end when its e-mail is
 * written, and what waits for a limit or the morning waits in its row, in nobody's hands. docs/mail.md
 */
export default defineService({
  name: "sender",
  mixins: [vars],
  settings: {
    /** How long an e-mail stays with a sender that says nothing more, ms. It is renewed at a third of it. */
    leaseMs: 30_000,
    /** How often the outbox is looked at when nothing was due, ms. */
    pollMs: 1_000,
  },
  actions: {
    /** What this instance does, for each database: `{ missing, senders: SenderState[] }`. */
    state: {
      handler() {
        const sending = sendingOf(resourcesOf(this.broker).settings);
        return { missing: sending.on ? [] : sending.missing, senders: this.senders.map(({ state }) => state) };
      },
    },
  },
  created() {
    const { settings, databases, nats, names, onDrain } = resourcesOf(this.broker);
    const { leaseMs, pollMs } = this.settings;
    const { broker } = this;
    const meter = meterOf(broker);
    for (const result of ["sent", "refused", "unreached", "unknown", "unpaid"])
      meter.add("leads_mail_total", { result }, 0);
    this.senders = databases.all().map(
      ({ knex }) =>
        new Sender({
          knex,
          logger: this.logger,
          leaseMs,
          pollMs,
          connections: settings.mailConnections,
          perMinute: settings.mailDomainPerMinute,
          perDay: settings.mailTenantPerDay,
          quiet: quietHoursOf(settings.quietHours),
          timeZone: settings.timeZone,
          probeMinMs: settings.probeMinMs,
          probeMaxMs: settings.probeMaxMs,
          listed: async () => writeSetAside({ nc: await nats(), names }, databases),
          async send(mail) {
            const fate = await handOver(broker, mail);
            meter.add("leads_mail_total", { result: fate.kind });
            return fate;
          },
        }),
    );
    onDrain(async () => {
      await Promise.all(this.senders.map((sender) => sender.stop()));
    });
  },
  async started() {
    const { settings, nats, names } = resourcesOf(this.broker);
    await ensureSetAside({ nc: await nats(), names }, settings);
    const sending = sendingOf(settings);
    if (sending.on) for (const sender of this.senders) sender.start();
    else this.logger.info(`e-mails are written and not sent: ${sending.missing.join(", ")} missing`);
  },
  async stopped() {
    await Promise.all(this.senders.map((sender) => sender.stop()));
  },
});

/** Hands one over through the mesh, once. A call that may have reached its service is not repeated. */
async function handOver(broker: ServiceBroker, mail: Handed): Promise<Fate> {
  const sending = sendingOf(resourcesOf(broker).settings);
  if (!sending.on) return { kind: "unreached", reason: "sending is off" };
  const { tenant, leadId, campaign, attempt, to, subject, text, html, messageId, unsubscribeUrl } = mail;
  const reference = { tenant, leadId, campaign, attempt };
  const message: Message = { from: sending.from, to, subject, text, html, messageId, unsubscribeUrl, reference };
  try {
    return await broker.call<Fate, { message: Message }>(
      `${sending.via}.send`,
      { message },
      { retries: 0, timeout: answerMs },
    );
  } catch (error) {
    const { type = "", message: reason } = error as Error & { type?: string };
    return { kind: unreached.has(type) ? "unreached" : "unknown", reason: type || reason };
  }
}
