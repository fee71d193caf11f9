import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Knex } from "knex";
import { SMTPServer } from "smtp-server";
import { environmentOf, type Settings } from "../../config/settings.ts";
import { type ClaimOptions, claimDue, type Handed, markSending } from "../../services/email/claims.sql.ts";
import { writeMails } from "../../services/email/email.sql.ts";
import { addressHash } from "../../services/email/recipient.ts";
import { messageIdOf } from "../../services/email/sending.ts";
import { guarded } from "./servers.ts";

/** Where a delivery stands still until it is let on. */
export type Hold = "greeting" | "recipient" | "answer";

export interface Received {
  messageId: string;
  from: string;
  to: string[];
  raw: string;
}

/** A real SMTP server that keeps its own list of what it took, and can be held at a step. */
export class Mailbox implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly url: string;
  /** Deliveries that it has taken and not yet answered. */
  open = 0;
  /** Deliveries that stand at the held step. */
  held = 0;
  /** Answers of the server, by step: an error with a `responseCode` refuses. */
  refuse: {
    sender?: () => Error | undefined;
    recipient?: (address: string) => Error | undefined;
    content?: () => Error | undefined;
  } = {};
  /** Cuts the connection when the content is there, instead of an answer: `count` times. */
  cutAnswers = 0;
  /** Waits so long before each answer, ms. */
  delay: () => number = () => 0;
  #hold: Hold | undefined;
  #let: (() => void)[] = [];
  readonly #server: SMTPServer;

  private constructor(server: SMTPServer, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async open(port = 0): Promise<Mailbox> {
    port ||= await freePort();
    const at = (step: Hold, done: (error?: Error) => void, error?: Error) => box.#at(step, () => done(error));
    const server = new SMTPServer({
      disabledCommands: ["AUTH", "STARTTLS"],
      disableReverseLookup: true,
      // What it refuses says itself which code it has, or none.
      hideENHANCEDSTATUSCODES: true,
      closeTimeout: 100,
      onConnect: (_session, done) => at("greeting", done),
      onMailFrom: (_address, _session, done) => done(box.refuse.sender?.()),
      onRcptTo: ({ address }, _session, done) => at("recipient", done, box.refuse.recipient?.(address)),
      onData(stream, session, done) {
        const parts: Buffer[] = [];
        stream.on("data", (part: Buffer) => parts.push(part));
        stream.on("end", () => {
          const refused = box.refuse.content?.();
          if (refused) {
            done(refused);
            return;
          }
          // From here on the server has it, whether its answer is heard or not.
          box.#take(Buffer.concat(parts).toString(), session.envelope as any);
          if (box.cutAnswers > 0) {
            box.cutAnswers--;
            for (const connection of (server as any).connections)
              if (connection.session === session) connection._socket.destroy();
          } else {
            box.open++;
            setTimeout(() => {
              box.open--;
              at("answer", done);
            }, box.delay());
          }
        });
      },
    });
    server.on("error", () => {});
    const box = new Mailbox(server, `smtp://127.0.0.1:${port}`);
    server.listen(port, "127.0.0.1");
    await once(server.server, "listening");
    return box;
  }

  #take(raw: string, envelope: { mailFrom: { address: string }; rcptTo: { address: string }[] }): void {
    const [, messageId = ""] = /^message-id:\s*(\S+)/im.exec(raw) ?? [];
    this.received.push({
      messageId,
      from: envelope.mailFrom.address,
      to: envelope.rcptTo.map(({ address }) => address),
      raw,
    });
  }

  #at(step: Hold, go: () => void): void {
    if (this.#hold !== step) go();
    else this.held = this.#let.push(go);
  }

  hold(step: Hold): void {
    this.#hold = step;
  }

  letGo(): void {
    this.#hold = undefined;
    this.held = 0;
    for (const go of this.#let.splice(0)) go();
  }

  /** How often each message was taken. */
  get counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { messageId } of this.received) counts.set(messageId, (counts.get(messageId) ?? 0) + 1);
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.letGo();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}

/** What a mesh needs to send, by night too and as fast as it can. */
export const mailSettings = (smtpUrl: string, more: Record<string, string> = {}): Record<string, string> => ({
  LEADS_SMTP_URL: smtpUrl,
  LEADS_MAIL_FROM: "hello@agency.example",
  LEADS_POSTAL_ADDRESS: "Agency Inc., 1 Main St, Springfield, IL 62701",
  LEADS_LINK_SECRETS: "a-secret-of-tests-that-signs-links-1",
  LEADS_QUIET_HOURS: "",
  LEADS_MAIL_DOMAIN_PER_MINUTE: "100000",
  LEADS_PROBE_MIN_MS: "50",
  LEADS_PROBE_MAX_MS: "200",
  ...more,
});

/** How a sender of its own claims, without limits. */
export const claimOptions = (more: Partial<ClaimOptions> = {}): ClaimOptions => ({
  holder: randomUUID(),
  leaseMs: 60_000,
  hands: 100,
  perMinute: Number.POSITIVE_INFINITY,
  quiet: undefined,
  timeZone: "America/Chicago",
  perDay: 100_000,
  ...more,
});

/** Claims what is due and says that it is handed over. */
export async function handOver(knex: Knex): Promise<Handed[]> {
  const claim = claimOptions();
  await claimDue(knex, claim);
  return markSending(knex, claim.holder, 60_000);
}

/** Writes e-mails into the outbox as the stage does. */
export async function writeSome(
  knex: Knex,
  count: number,
  { tenant = "acme", domain = "joes.example", timeZone = null as string | null, campaign = "first-contact" } = {},
): Promise<{ leadId: string; to: string; messageId: string }[]> {
  const mails = Array.from({ length: count }, (_, n) => {
    const leadId = randomUUID();
    const messageId = messageIdOf({ tenant, leadId, campaign }, "hello@agency.example");
    return { leadId, messageId, to: `owner-${n}-${leadId.slice(0, 8)}@${domain}` };
  });
  const wanted = mails.map(({ leadId, to }) => ({ tenant, leadId, address: addressHash(to) }));
  await writeMails(knex, campaign, wanted, (n) => ({
    to: mails[n]!.to,
    subject: `A draft for ${n}`,
    text: `Hello ${n}\n`,
    html: `<p>Hello ${n}</p>`,
    domain,
    timeZone,
    sending: { messageId: mails[n]!.messageId, unsubscribeUrl: `https://leads.example/u/${n}` },
  }));
  return mails;
}

/** Starts a sending process of its own; resolves when it runs. */
export async function startSender(settings: Settings): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "mail-sender.ts")], {
    env: { PATH: process.env.PATH, ...environmentOf(settings) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (child.pid !== undefined) child.once("exit", guarded(child.pid));
  await Promise.race([
    once(child.stdout!, "data"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`the sender left with ${code}`))),
  ]);
  return child;
}

/** Ends a process at once, as a power cut would; resolves when it is gone. */
export async function kill9(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** How many e-mails stand in each state. */
export async function statesIn(knex: Knex): Promise<Record<string, number>> {
  const rows = await knex("outbox").select("state").count("* as n").groupBy("state");
  return Object.fromEntries(rows.map(({ state, n }) => [state, Number(n)]));
}

/** The header `Leads-Signature` of a body. `now`: ms since 1970. */
export function signPlain(body: string, secret: string, now: number): string {
  const seconds = Math.floor(now / 1_000);
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}
