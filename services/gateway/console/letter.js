import { useState } from "preact/hooks";
import { query, useLoad } from "./api.js";
import { num, words } from "./format.js";
import { html } from "./html.js";
import { SettleDialog } from "./redrive.js";
import { may } from "./session.js";
import { Ago, Badge, Card, ErrorNote, Facts, Field, Head, Loading } from "./ui.js";

/** What can be mended: a field as it is told, and where the lead keeps it. */
const mendable = /** @type {[string, string, (fields: any) => unknown][]} */ ([
  ["name", "Name", (f) => f.name],
  ["email", "E-mail", (f) => f.email],
  ["phone", "Phone", (f) => f.phone],
  ["website", "Web site", (f) => f.website],
  ["vertical", "Vertical", (f) => f.vertical],
  ["street", "Street", (f) => f.address?.street],
  ["city", "City", (f) => f.address?.city],
  ["state", "State", (f) => f.address?.state],
  ["zip", "Zip", (f) => f.address?.zip],
  ["country", "Country", (f) => f.address?.country],
]);

/** @param {unknown} value What a stranger wrote may be anything. */
const shown = (value) =>
  value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

/** The form whose changes become the patch. @param {{ fields: any, onRedrive: (patch: object) => void }} props */
function Mend({ fields, onRedrive }) {
  const [changed, setChanged] = useState(/** @type {Record<string, string>} */ ({}));
  const before = Object.fromEntries(mendable.map(([name, , of]) => [name, shown(of(fields))]));
  const patch = Object.fromEntries(
    Object.entries(changed)
      .filter(([name, value]) => value !== before[name])
      .map(([name, value]) => [name, value.trim() === "" ? null : value.trim()]),
  );
  const size = Object.keys(patch).length;
  const onSubmit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    onRedrive(patch);
  };
  return html`<form onSubmit=${onSubmit}>
    <div class="mend">
      ${mendable.map(
        ([name, label]) => html`<${Field} key=${name} label=${label} class=${name in patch ? "changed" : ""}>
          <input name=${name} value=${changed[name] ?? before[name]} onInput=${(/** @type {any} */ event) => setChanged({ ...changed, [name]: event.target.value })} />
        <//>`,
      )}
    </div>
    <div class="mend-foot">
      <span class="muted small">${size === 0 ? "Nothing is changed." : `Changed: ${Object.keys(patch).join(", ")}. An empty field is taken away.`}</span>
      ${size > 0 && html`<button type="button" class="button" onClick=${() => setChanged({})}>Undo</button>`}
      <button class="button primary" disabled=${size === 0}>Mend and redrive…</button>
    </div>
  </form>`;
}

/** @param {{ id: string, values: Record<string, string>, session: import("./session.js").Session }} props */
export function LetterPage({ id, values, session }) {
  const { tenant = "" } = values;
  const load = useLoad(`/v1/dead-letters/${encodeURIComponent(id)}${query({ tenant })}`, 5_000);
  const [dialog, setDialog] = useState(/** @type {null | { kind: "redrive" | "discard", patch?: object }} */ (null));
  const { data: letter, error } = load;
  const back = { back: "#/dead", backName: "Dead letters" };
  if (!letter)
    return html`<${Head} title=${error?.status === 404 ? "There is no such dead letter" : "Dead letter"} ...${back} /><${ErrorNote} error=${error} retry=${load.reload} />${!error && html`<${Loading} />`}`;
  const isOpen = letter.state === "dead" && may(session, "operate");
  const fields = letter.lead?.fields;
  const isLead = letter.kind === "lead" && fields !== null && typeof fields === "object";
  const name = isLead ? shown(fields.name) || "A lead without a name" : `A message of ${letter.stage}`;
  return html`<${Head} title=${name} sub=${`Died in ${letter.stage}`} ...${back}>
      ${letter.leadId && (!tenant || tenant === session.tenant) && html`<a class="button" href=${`#/leads/${letter.leadId}`}>The lead</a>`}
      ${letter.leadId && may(session, "platform") && html`<a class="button" href=${`#/logs?lead=${letter.leadId}`}>Logs</a>`}
      ${
        isOpen &&
        html`<button type="button" class="button" onClick=${() => setDialog({ kind: "discard" })}>Discard…</button>
        <button type="button" class="button primary" onClick=${() => setDialog({ kind: "redrive" })}>Redrive as it is…</button>`
      }
    <//>
    <${ErrorNote} error=${error} retry=${load.reload} stale />
    <p class="state-line">
      <${Badge} state=${letter.state} /><span>died <${Ago} at=${letter.diedAt} /></span><span>${num(letter.attempts)} ${letter.attempts === 1 ? "try" : "tries"}</span>
      ${letter.lane && html`<span>${letter.lane} lane</span>`}<code class="muted">${letter.id}</code>
    </p>
    <div class="note bad error-words">
      <div><strong>${letter.error?.type ?? letter.errorType}</strong><p>${letter.error?.message ?? ""}</p></div>
    </div>
    <div class="columns">
      ${
        isLead
          ? html`<${Card} title=${isOpen ? "Mend it" : "The lead as the stage had it"}>
            ${
              isOpen
                ? html`<p class="muted small">A lead that is mended begins anew at the first stage.</p><${Mend} key=${letter.state} fields=${fields} onRedrive=${(/** @type {object} */ patch) => setDialog({ kind: "redrive", patch })} />`
                : html`<${Facts} of=${mendable.map(([, label, of]) => [label, shown(of(fields))])} />`
            }
          <//>`
          : html`<${Card} title="What it held"><pre class="json" tabindex="0">${letter.raw ?? JSON.stringify(letter.lead, null, 2)}</pre><//>`
      }
      <div>
        <${Card} title="About it">
          <${Facts} of=${[
            ["Tenant", letter.tenant],
            ["Kind", words(letter.kind)],
            ["Lead", letter.leadId && html`<code>${letter.leadId}</code>`],
            ["First try", letter.firstAt && html`<${Ago} at=${letter.firstAt} />`],
            ["Last try", letter.lastAt && html`<${Ago} at=${letter.lastAt} />`],
            ["Request", letter.requestId && html`<code>${letter.requestId}</code>`],
            ["Trace", letter.traceId && html`<code>${letter.traceId}</code>`],
            ["Import", letter.importId && html`<code>${letter.importId}</code>`],
          ]} />
        <//>
        ${
          letter.history.length > 0 &&
          html`<${Card} title="Its other deaths">
          <ul class="history">
            ${letter.history.map((/** @type {any} */ other) => html`<li key=${other.id}><a href=${`#/dead/${other.id}${query({ tenant })}`}>${other.errorType}</a> in ${other.stage}, <${Ago} at=${other.diedAt} /> <${Badge} state=${other.state} /></li>`)}
          </ul>
        <//>`
        }
        ${letter.lead && html`<${Card} title="As it was written"><details><summary>The whole lead</summary><pre class="json" tabindex="0">${JSON.stringify(letter.lead, null, 2)}</pre></details><//>`}
      </div>
    </div>
    ${
      dialog &&
      html`<${SettleDialog} kind=${dialog.kind} patch=${dialog.patch} which=${{ ids: [letter.id], ...(tenant && { tenant }) }} said="this letter" onClose=${() => setDialog(null)} onBegun=${load.reload} />`
    }`;
}
