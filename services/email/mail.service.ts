import type { Context, ServiceBroker } from "moleculer";
import { tenantPattern } from "../../config/names.ts";
import { LeadsError, outage } from "../../mixins/errors.ts";
import { errorTypeOf } from "../../mixins/http/problem.ts";
import { statement } from "../../mixins/knex.ts";
import { meterOf } from "../../mixins/metrics.ts";
import { resourcesOf } from "../../mixins/resources.ts";
import { defineMixin, defineService } from "../../mixins/schema.ts";
import { type Applied, applyEvent } from "./events.sql.ts";
import { EventsError, isPlain, isSendgrids, kinds, type MailEvent, readPlain, readSendgrid } from "./events.ts";
import { type Linked, readLink } from "./links.ts";
import { gonePage, type Page, refusedPage, unsubscribedPage, unsubscribePage } from "./pages.ts";
import { sendingOf } from "./sending.ts";
import { ensureSetAside, setAside, writeSetAside } from "./set-aside.ts";
import { suppress } from "./suppressions.sql.ts";
import { changeTenant, overdueSeconds, readTenant, resumeTenant, type TenantChange } from "./tenants.sql.ts";

const tenant = { type: "string", pattern: tenantPattern } as const;
/** Of any length that HTTP lets in, as signatures are: what is none is refused as such. */
const token = "string";

interface EventsParams {
  /** As it came, in base64: the signature is over its bytes. */
  body: string;
  /** SendGrid's two headers, or the plain format's one. */
  signature?: string;
  timestamp?: string;
  plain?: string;
}

/** How long somebody who unsubscribes waits for the database, ms. */
const patienceMs = 2_000;
/** How often what was set aside is looked for, ms. */
const everyMs = 5_000;

interface Vars {
  timer: NodeJS.Timeout | undefined;
}

/** What comes back from those who are written to, and from who carries it; and how a tenant sends. docs/mail.md */
export default defineService({
  name: "mail",
  mixins: [defineMixin<Vars>()({})] as const,
  created() {
    // The first complaint is an increase: what has not happened yet is zero, not absent.
    for (const kind of kinds) meterOf(this.broker).add("leads_mail_events_total", { kind }, 0);
  },
  async started() {
    const { nats, names, databases, settings } = resourcesOf(this.broker);
    const place = { nc: await nats(), names };
    await ensureSetAside(place, settings);
    // Senders do this before they send; here for a mesh that sends nothing now.
    this.timer = setInterval(() => void writeSetAside(place, databases).catch(() => {}), everyMs);
  },
  stopped() {
    clearInterval(this.timer);
  },
  actions: {
    /** What an unsubscribe link opens: a page that asks. Changes nothing. */
    unsubscribePage: {
      params: { token },
      handler: (ctx: Context<{ token: string }>): Page =>
        linkOf(ctx.broker, "unsubscribe", ctx.params.token) ? unsubscribePage() : refusedPage(),
    },
    /**
     * Puts the address of an unsubscribe link on its tenant's list of suppressions; with the database away it is set aside,
     * and is on the list before any more is sent. A repeat changes nothing.
     */
    unsubscribe: {
      params: { token },
      async handler(ctx: Context<{ token: string }>): Promise<Page> {
        const link = linkOf(ctx.broker, "unsubscribe", ctx.params.token);
        if (!link) return refusedPage();
        const { databases, nats, names } = resourcesOf(ctx.broker);
        const wanted = { tenant: link.tenant, address: link.address };
        try {
          const row = { ...wanted, reason: "unsubscribed" } as const;
          await within(patienceMs, () => statement(() => suppress(databases.of(link.tenant), [row])));
        } catch (error) {
          if (errorTypeOf(error) !== "OUTAGE") throw error;
          await setAside({ nc: await nats(), names }, wanted);
        }
        return unsubscribedPage();
      },
    },
    /** The mock-up that a link shows, to whoever has the link. */
    mockup: {
      params: { token },
      async handler(ctx: Context<{ token: string }>): Promise<Page> {
        const link = linkOf(ctx.broker, "mockup", ctx.params.token);
        if (!link) return refusedPage();
        try {
          const asked = { tenant: link.tenant, id: link.leadId };
          const { html } = await ctx.call<{ html: string }, object>("mockup.render", asked);
          return { status: 200, html };
        } catch (error) {
          if (errorTypeOf(error) === "NOT_FOUND") return gonePage();
          throw error;
        }
      },
    },

    /**
     * Takes events in, SendGrid's or in the plain format, by which signature they have. Answers how many were
     * `applied`, a `repeat`, or about a `stranger`. Throws `UNAUTHORIZED` for a signature that is wrong or old,
     * `MALFORMED` for what is no list of events.
     */
    events: {
      params: {
        body: "string",
        signature: { type: "string", optional: true },
        timestamp: { type: "string", optional: true },
        plain: { type: "string", optional: true },
      },
      async handler(ctx: Context<EventsParams>): Promise<Record<Applied, number>> {
        const applied = { applied: 0, repeat: 0, stranger: 0 };
        const meter = meterOf(ctx.broker);
        for (const event of readEvents(ctx.broker, ctx.params)) {
          // Without its tenant it may be in any database; there it is found by the lead's id.
          const { databases } = resourcesOf(ctx.broker);
          const places = event.reference ? [databases.of(event.reference.tenant)] : databases.all().map((d) => d.knex);
          let answer: Applied = "stranger";
          for (const knex of places) if (answer === "stranger") answer = await applyEvent(knex, event);
          applied[answer]++;
          if (answer === "applied") meter.add("leads_mail_events_total", { kind: event.kind });
        }
        return applied;
      },
    },

    /** How long the e-mail that has been due for the longest has waited, seconds; null where nothing is sent at all. */
    overdue: {
      cache: false,
      async handler(ctx: Context): Promise<number | null> {
        const { databases, settings } = resourcesOf(ctx.broker);
        if (!sendingOf(settings).on) return null;
        return Math.max(...(await Promise.all(databases.all().map(({ knex }) => overdueSeconds(knex)))));
      },
    },
    /** How a tenant sends: `{ sending, missing, ...TenantMail }`. */
    settings: {
      params: { tenant },
      handler: (ctx: Context<{ tenant: string }>) => shown(ctx.broker, ctx.params.tenant),
    },
    /** Changes what is named of a tenant's settings, and answers them all. */
    change: {
      params: {
        tenant,
        suppressAcross: { type: "boolean", optional: true },
        timeZone: { type: "string", max: 64, nullable: true, optional: true },
        dayLimit: { type: "number", integer: true, min: 0, max: 10_000_000, nullable: true, optional: true },
        $$strict: true,
      },
      async handler(ctx: Context<TenantChange & { tenant: string }>) {
        const { tenant: name, ...change } = ctx.params;
        if (typeof change.timeZone === "string" && !isTimeZone(change.timeZone))
          throw new LeadsError("VALIDATION", "there is no such time zone", {
            faults: [{ field: "timeZone", message: "is not an IANA time zone" }],
          });
        await changeTenant(resourcesOf(ctx.broker).databases.of(name), name, change);
        return shown(ctx.broker, name);
      },
    },
    /** Lets a tenant that was stopped send again. A repeat changes nothing. */
    resume: {
      params: { tenant },
      async handler(ctx: Context<{ tenant: string }>) {
        await resumeTenant(resourcesOf(ctx.broker).databases.of(ctx.params.tenant), ctx.params.tenant);
        return shown(ctx.broker, ctx.params.tenant);
      },
    },
  },
});

/** The work's result; an outage of the database where it takes longer. */
async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(outage("postgres", new Error(`no answer in ${ms} ms`))), ms);
  try {
    return await Promise.race([work(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function linkOf<P extends Linked["purpose"]>(broker: ServiceBroker, purpose: P, word: string) {
  const { linkSecrets: secrets, linkDays: days } = resourcesOf(broker).settings;
  return readLink(purpose, word, { secrets, days, now: Date.now() });
}

function readEvents(broker: ServiceBroker, params: EventsParams): MailEvent[] {
  const { sendgridEventKey, mailEventSecrets } = resourcesOf(broker).settings;
  const body = Buffer.from(params.body, "base64");
  const { signature, timestamp, plain } = params;
  const now = Date.now();
  try {
    if (signature !== undefined && timestamp !== undefined) {
      if (isSendgrids(body, { signature, timestamp }, sendgridEventKey, now)) return readSendgrid(body);
    } else if (plain !== undefined && isPlain(body, plain, mailEventSecrets, now)) return readPlain(body);
  } catch (error) {
    if (error instanceof EventsError) throw new LeadsError("MALFORMED", error.message);
    throw error;
  }
  throw new LeadsError("UNAUTHORIZED", "the signature is missing, wrong or old");
}

async function shown(broker: ServiceBroker, name: string) {
  const { settings, databases } = resourcesOf(broker);
  const sending = sendingOf(settings);
  const told = await readTenant(databases.of(name), name, settings.mailTenantPerDay);
  return { sending: sending.on && !told.stopped, missing: sending.on ? [] : sending.missing, ...told };
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
