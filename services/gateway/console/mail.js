import { useCallback, useState } from "preact/hooks";
import { api, query, useAct, useLoad, usePages } from "./api.js";
import { full, num, words } from "./format.js";
import { html } from "./html.js";
import { address } from "./leads.js";
import { may } from "./session.js";
import { Ago, Badge, Card, Dialog, Empty, ErrorNote, Facts, Head, Loaded, Loading, Select, Stat } from "./ui.js";
import { VirtualTable } from "./virtual.js";

const states = [
  "written",
  "claimed",
  "sending",
  "sent",
  "bounced",
  "complained",
  "suppressed",
  "unknown",
  "failed",
  "cancelled",
];

/** @param {{ onChanged: () => void, stopped: any }} props */
function Resume({ onChanged, stopped }) {
  const [open, setOpen] = useState(false);
  const { busy, error, run } = useAct(() => api("/v1/mail/resume", { method: "POST" }));
  const act = async () => {
    if (!(await run())) return;
    setOpen(false);
    onChanged();
  };
  return html`<button type="button" class="button" onClick=${() => setOpen(true)}>Send again…</button>
    ${
      open &&
      html`<${Dialog} title="Send again?" onClose=${() => setOpen(false)}>
      <p>Sending was stopped: ${stopped.reason}. What bounced before counts no more. Look into the cause first: too many bounces cost the sender's good name.</p>
      <${ErrorNote} error=${error} />
      <div class="dialog-foot"><button type="button" class="button" onClick=${() => setOpen(false)}>Cancel</button><button type="button" class="button danger" disabled=${busy} onClick=${act}>Send again</button></div>
    <//>`
    }`;
}

/** One e-mail: its text, and, where its fate is unknown, the question. @param {{ mail: any, mayOperate: boolean, onClose: () => void, onChanged: () => void }} props */
function Letter({ mail, mayOperate, onClose, onChanged }) {
  const { busy, error, run } = useAct((as) =>
    api(`/v1/outbox/${mail.leadId}/settle`, { method: "POST", body: { as, campaign: mail.campaign } }),
  );
  const settle = async (/** @type {string} */ as) => {
    if (!(await run(as))) return;
    onChanged();
    onClose();
  };
  return html`<${Dialog} title=${mail.subject} onClose=${onClose} wide>
    <div class="stack">
      <${Facts} of=${[
        ["To", mail.to],
        ["State", html`<${Badge} state=${mail.state} />`],
        ["Why", mail.reason],
        ["Campaign", mail.campaign],
        ["Written", html`<${Ago} at=${mail.writtenAt} />`],
        ["Due", mail.dueAt && full(mail.dueAt)],
        ["Sent", mail.sentAt && html`<${Ago} at=${mail.sentAt} />`],
        ["Tries", num(mail.attempts)],
        ["Lead", html`<a href=${`#/leads/${mail.leadId}`}>${mail.leadId}</a>`],
      ]} />
      <pre class="letter" tabindex="0">${mail.text}</pre>
      <${ErrorNote} error=${error} />
      ${
        mail.state === "unknown" &&
        mayOperate &&
        html`<div class="note warn"><div>The sender died while it handed this over. Look into the mail server's log: was it sent?</div></div>
        <div class="dialog-foot">
          <button type="button" class="button" disabled=${busy} onClick=${() => settle("not_sent")}>It was not: send it now</button>
          <button type="button" class="button primary" disabled=${busy} onClick=${() => settle("sent")}>It was sent</button>
        </div>`
      }
    </div>
  <//>`;
}

const columns = [
  {
    name: "To",
    width: "minmax(140px, 1.4fr)",
    cell: (/** @type {any} */ mail) => html`<button type="button" class="row-open">${mail.to}</button>`,
  },
  { name: "Subject", width: "minmax(140px, 2fr)", class: "less", cell: (/** @type {any} */ mail) => mail.subject },
  { name: "State", width: "112px", cell: (/** @type {any} */ mail) => html`<${Badge} state=${mail.state} />` },
  {
    name: "Why",
    width: "minmax(90px, 1fr)",
    class: "less muted",
    cell: (/** @type {any} */ mail) => words(mail.reason) || "–",
  },
  {
    name: "When",
    width: "110px",
    class: "muted",
    cell: (/** @type {any} */ mail) => html`<${Ago} at=${mail.sentAt ?? mail.writtenAt} />`,
  },
];
const keyOf = (/** @type {any} */ mail) => `${mail.leadId} ${mail.campaign}`;

/** @param {{ session: import("./session.js").Session, values: Record<string, string> }} props */
export function MailPage({ session, values }) {
  const { state = "" } = values;
  const load = useLoad("/v1/mail", 10_000);
  const list = usePages((cursor) => `/v1/outbox${query({ state, limit: 100, cursor })}`, [state]);
  const [shown, setShown] = useState(/** @type {any} */ (null));
  const open = useCallback((/** @type {any} */ mail) => setShown(mail), []);
  return html`<${Head} title="Mail" sub="How e-mails are sent, and what became of them." />
    <${Loaded} load=${load}>
      ${(/** @type {any} */ mail) => html`
        ${
          mail.stopped &&
          html`<div class="note bad" role="alert"><div><strong>Sending is stopped</strong> since <${Ago} at=${mail.stopped.at} />: ${mail.stopped.reason}</div>${may(session, "operate") && html`<${Resume} onChanged=${load.reload} stopped=${mail.stopped} />`}</div>`
        }
        ${!mail.sending && html`<div class="note"><div><strong>E-mails are written, none is sent.</strong> ${mail.missing.length > 0 ? html`Missing: ${mail.missing.map((/** @type {string} */ name) => html`<code key=${name}>${name}</code> `)}` : ""}</div></div>`}
        <dl class="stats">
          <${Stat} name="Today" value=${num(mail.today.taken)} sub=${` of ${num(mail.today.allowed)} allowed`} />
          <${Stat} name="Sent in a week" value=${num(mail.week.sent)} sub="" />
          <${Stat} name="Bounced" value=${num(mail.week.bounced)} sub=${share(mail.week.bounced, mail.week.sent)} tone=${mail.week.bounced > mail.week.sent * 0.03 ? "warn" : ""} />
          <${Stat} name="Complained" value=${num(mail.week.complained)} sub=${share(mail.week.complained, mail.week.sent)} tone=${mail.week.complained > mail.week.sent * 0.001 ? "bad" : ""} />
        </dl>
        <${Card} title="Settings"><${Facts} of=${[
          ["Time zone", mail.timeZone ?? "the mesh's"],
          ["E-mails a day", mail.dayLimit === null ? "the mesh's limit" : num(mail.dayLimit)],
          [
            "No more e-mail to",
            mail.suppressAcross ? "whoever asked any tenant for none" : "whoever asked this tenant for none",
          ],
        ]} /><//>`}
    <//>
    <div class="filters above-list">
      <h2>Outbox</h2>
      <${Select} label="State" value=${state} options=${[["", "Any state"], ...states]} onChange=${(
        /** @type {string} */ value,
      ) => {
        location.hash = address("mail", { state: value });
      }} />
      <button type="button" class="button" onClick=${list.reload}>Reload</button>
    </div>
    <${ErrorNote} error=${list.error} retry=${list.reload} stale=${list.items.length > 0} />
    ${
      list.items.length === 0
        ? list.busy
          ? html`<${Loading} />`
          : !list.error &&
            html`<${Empty} title="The outbox is empty" icon="mail">${state ? "None is in this state." : "An e-mail is written when a lead has passed the last stage."}<//>`
        : html`<${VirtualTable} label="Outbox" columns=${columns} items=${list.items} keyOf=${keyOf} onOpen=${open} onEnd=${list.more} />`
    }
    ${shown && html`<${Letter} mail=${shown} mayOperate=${may(session, "operate")} onClose=${() => setShown(null)} onChanged=${list.reload} />`}`;
}

/** @param {number} part @param {number} of */
const share = (part, of) => (of > 0 ? ` ${((part / of) * 100).toFixed(1)} %` : "");
