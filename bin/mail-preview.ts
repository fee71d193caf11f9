/** `npm run mail:preview -- LEAD`: writes the e-mail of a lead as files and a picture. Sends nothing. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import MailComposer from "nodemailer/lib/mail-composer";
import type { Settings } from "../config/settings.ts";
import { typedIn } from "../config/settings.ts";
import { openDatabase } from "../mixins/knex.ts";
import { mailOf } from "../services/email/mail-of.ts";
import { recipientOf } from "../services/email/recipient.ts";
import type { Lead } from "../services/leads/lead.ts";
import { isUuid } from "../services/leads/row.ts";
import { mimeOf } from "../services/smtp/mime.ts";
import { stackSettings } from "./import/open.ts";
import { chromiumPath } from "./stack/chromium.ts";
import { dirFlag } from "./stack/flags.ts";
import { run } from "./stack/tools.ts";

const usage = `npm run mail:preview -- LEAD [--tenant T] [--out FOLDER] [--dir FOLDER]
  Writes LEAD.eml (as it would be sent), LEAD.html and, where there is a Chromium on PATH, LEAD.png. An e-mail that
  stands in the outbox is shown as it is; else it is composed from the lead as the record has it now.
  --tenant  whose lead it is, where two tenants have one of this id
  --out     where to (here)
  --dir     the folder of the stack that npm start brought up, instead of .stack
  Exit codes: 0, 1 when it failed, 2 for a wrong command line.`;

process.exitCode = await main().catch((error: Error) => {
  console.error(`mail:preview: ${error.message}`);
  return 1;
});

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: process.argv.slice(2),
    allowPositionals: true,
    options: {
      tenant: { type: "string" },
      out: { type: "string", default: "." },
      dir: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const [leadId] = positionals;
  if (values.help || positionals.length !== 1 || !isUuid(leadId)) {
    (values.help ? console.log : console.error)(usage);
    return values.help ? 0 : 2;
  }
  const settings = stackSettings(dirFlag(values.dir === undefined ? [] : ["--dir", values.dir]));
  const mail = await find(settings, leadId.toLowerCase(), values.tenant);
  const folder = resolve(typedIn(), values.out);
  mkdirSync(folder, { recursive: true });
  const file = (ending: string) => join(folder, `${leadId}.${ending}`);
  const from = { name: settings.senderName, address: settings.mailFrom || "nobody@localhost" };
  const { to, subject, text, html, sending } = mail;
  const { headers, ...mime } = mimeOf({ from, to, subject, text, html, ...(sending ?? none) });
  writeFileSync(file("eml"), await new MailComposer({ ...mime, ...(sending && { headers }) }).compile().build());
  writeFileSync(file("html"), html);
  const pictured = await picture(file("html"), file("png"));
  const written = [file("eml"), file("html"), ...(pictured ? [file("png")] : [])];
  console.log(written.join("\n"));
  if (!pictured) console.error("mail:preview: no Chromium on PATH, so there is no picture");
  if (!sending) console.error("mail:preview: it has no postal address in its foot and would not be sent");
  return 0;
}

const none = { messageId: "", unsubscribeUrl: "" };

/** The e-mail in the outbox, or the one that would be written now. */
async function find(settings: Settings, leadId: string, tenant?: string) {
  const knex = openDatabase({ ...settings, databasePool: 1 });
  try {
    const given = { lead_id: leadId, ...(tenant !== undefined && { tenant }) };
    const leads = await knex("leads").where(given).limit(2);
    const [row] = leads;
    if (!row) throw new Error("the record has no such lead");
    if (leads.length > 1) throw new Error("two tenants have a lead of this id: say which with --tenant");
    const mail = await knex("outbox")
      .where({ lead_id: leadId, tenant: row.tenant })
      .orderBy("written_at", "desc")
      .first();
    if (mail) {
      const { recipient: to, subject, body: text, html, message_id: messageId, unsubscribe_url: unsubscribeUrl } = mail;
      return { to, subject, text, html, sending: messageId === null ? null : { messageId, unsubscribeUrl } };
    }
    const lead = {
      leadId,
      tenant: row.tenant,
      fields: row.fields,
      facts: row.facts,
      ...(row.mockup && { mockup: row.mockup }),
    } as Lead;
    const to = recipientOf(lead);
    if (to === undefined) throw new Error("the lead has no address to write to");
    return mailOf(settings, lead, to, Date.now());
  } finally {
    await knex.destroy();
  }
}

/** A picture of the page by a browser without a window. False where there is none. */
async function picture(page: string, png: string): Promise<boolean> {
  const browser = chromiumPath();
  if (!browser) return false;
  // Of its own: the home of who runs this may be nobody's to write.
  const profile = mkdtempSync(join(tmpdir(), "preview-"));
  try {
    await run(browser, [
      "--headless",
      "--disable-gpu",
      "--hide-scrollbars",
      // Chromium's own sandbox does not work for root. The page is ours, without scripts and without anything to load.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      `--user-data-dir=${profile}`,
      "--window-size=720,1000",
      `--screenshot=${png}`,
      pathToFileURL(page).href,
    ]);
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
  return true;
}
