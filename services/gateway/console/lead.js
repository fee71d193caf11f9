import { useState } from "preact/hooks";
import { api, useAct, useLoad } from "./api.js";
import { clock, full, span, words } from "./format.js";
import { html } from "./html.js";
import { placeOf } from "./leads.js";
import { may } from "./session.js";
import { Ago, Badge, Card, Dialog, ErrorNote, Facts, Head, Loading } from "./ui.js";

/** The lead's own words, as pairs. @param {any} fields @returns {[string, any][]} */
export function fieldPairs(fields = {}) {
  const { name, email, phone, website, domain, address, vertical, categories, ...rest } = fields ?? {};
  const street = [address?.street, address?.unit].filter(Boolean).join(" ");
  const town = [address?.city, address?.state, address?.zip, address?.country].filter(Boolean).join(", ");
  return [
    ["Name", name],
    ["E-mail", email],
    ["Phone", phone],
    ["Web site", website ?? domain],
    ["Address", [street, town].filter(Boolean).join(", ")],
    ["Vertical", vertical],
    ["Categories", categories?.join(", ")],
    .../** @type {[string, any][]} */ (
      Object.entries(rest).map(([key, value]) => [
        words(key.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`)),
        text(value),
      ])
    ),
  ];
}

/** @param {unknown} value */
const text = (value) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));

/** @param {{ timeline: any[] }} props */
function Timeline({ timeline }) {
  const most = Math.max(1, ...timeline.map(({ waitedMs, workedMs }) => waitedMs + workedMs));
  return html`<ol class="timeline">
    ${timeline.map(
      (entry, n) => html`<li key=${n}>
        <div class="timeline-head">
          <strong>${entry.stage}</strong><${Badge} state=${entry.outcome === "forward" ? "done" : entry.outcome} label=${words(entry.outcome)} />
          ${entry.attempt > 1 && html`<span class="muted small">try ${entry.attempt}</span>`}
          <time class="muted small" dateTime=${new Date(entry.at).toISOString()} title=${full(entry.at)}>${clock(entry.at)}</time>
        </div>
        <div class="timeline-bar" aria-hidden="true">
          <i class="waited" style=${{ width: `${(entry.waitedMs / most) * 100}%` }} /><i class="worked" style=${{ width: `${(entry.workedMs / most) * 100}%` }} />
        </div>
        <p class="muted small">waited ${span(entry.waitedMs)}, worked ${span(entry.workedMs)}</p>
      </li>`,
    )}
  </ol>`;
}

/** @param {{ value: any }} props */
const Json = ({ value }) =>
  html`<pre class="json" tabindex="0">${JSON.stringify(value, (key, v) => (/At$/.test(key) && typeof v === "number" ? new Date(v).toISOString() : v), 2)}</pre>`;

/** @param {{ id: string, lead: any, onChanged: () => void }} props */
function Unmerge({ id, lead, onChanged }) {
  const [open, setOpen] = useState(false);
  const { busy, error, run } = useAct(() => api(`/v1/leads/${id}/unmerge`, { method: "POST" }));
  const act = async () => {
    if (!(await run())) return;
    setOpen(false);
    onChanged();
  };
  return html`<button type="button" class="button" onClick=${() => setOpen(true)}>Undo the merge</button>
    ${
      open &&
      html`<${Dialog} title="Undo the merge?" onClose=${() => setOpen(false)}>
      <p>${lead.fields?.name ?? "This lead"} and the lead that it was merged into are two again, and are kept apart for ever. This one goes on where it was.</p>
      <${ErrorNote} error=${error} />
      <div class="dialog-foot">
        <button type="button" class="button" onClick=${() => setOpen(false)}>Cancel</button>
        <button type="button" class="button danger" disabled=${busy} onClick=${act}>Undo the merge</button>
      </div>
    <//>`
    }`;
}

/** A lead: where it is and why, what became of it, what is known of it. @param {{ id: string, session: import("./session.js").Session }} props */
export function LeadPage({ id, session }) {
  const load = useLoad(`/v1/leads/${encodeURIComponent(id)}`, 5_000);
  const why = useLoad(`/v1/leads/${encodeURIComponent(id)}/why`, 5_000);
  const { data: lead, error } = load;
  const back = { back: "#/leads", backName: "Leads" };
  if (!lead)
    return html`<${Head} title=${error?.status === 404 ? "There is no such lead" : "Lead"} ...${back} /><${ErrorNote} error=${error} retry=${load.reload} />${!error && html`<${Loading} />`}`;
  const { fields, score, facts } = lead;
  return html`<${Head} title=${fields?.name ?? "A lead on its way"} sub=${[fields?.vertical, placeOf(fields)].filter(Boolean).join(" · ")} ...${back}>
      ${lead.mockup && html`<a class="button" href=${`/v1/leads/${id}/mockup`} target="_blank" rel="noopener">Mock-up<span class="sr-only"> (opens a tab)</span></a>`}
      ${lead.status === "merged" && may(session, "operate") && html`<${Unmerge} id=${id} lead=${lead} onChanged=${load.reload} />`}
      ${may(session, "platform") && html`<a class="button" href=${`#/logs?lead=${id}`}>Logs</a>`}
    <//>
    <${ErrorNote} error=${error} retry=${load.reload} stale />
    <p class="state-line">
      <${Badge} state=${lead.status} />
      ${lead.reason && html`<span>${words(lead.reason)}</span>`}
      ${score && html`<span>score <strong>${score.value}</strong></span>`}
      ${lead.mergedInto && html`<a href=${`#/leads/${lead.mergedInto}`}>the lead that it was merged into</a>`}
      <code class="muted">${id}</code>
    </p>
    ${
      why.data &&
      html`<div class=${`note ${why.data.where === "dead" ? "bad" : why.data.where === "ended" ? "good" : ""}`}>
      <div><strong>Where it is.</strong> ${why.data.text}.</div>
      ${why.data.letter && html`<a class="button" href=${`#/dead/${why.data.letter}`}>The dead letter</a>`}
    </div>`
    }
    <div class="columns">
      <div>
        <${Card} title="Timeline" aside=${html`<span class="muted small">taken in <${Ago} at=${lead.acceptedAt} /></span>`}>
          ${lead.timeline?.length > 0 ? html`<${Timeline} timeline=${lead.timeline} />` : html`<p class="muted">It waits for its first stage.</p>`}
        <//>
        ${
          score?.fired &&
          html`<${Card} title="Why this score" aside=${html`<strong>${score.value}</strong>`}>
          <table class="table"><tbody>
            ${score.fired.map((/** @type {any} */ rule) => html`<tr key=${rule.name}><th scope="row">${words(rule.name)}</th><td class="n">${rule.points !== undefined ? `${rule.points > 0 ? "+" : ""}${rule.points}` : `× ${rule.multiplier}`}</td></tr>`)}
          </tbody></table>
        <//>`
        }
      </div>
      <div>
        <${Card} title="What it tells">
          <${Facts} of=${[...fieldPairs(fields), ["Source", [lead.source, lead.sourceId].filter(Boolean).join(" · ")], ["Tier", lead.tier], ["Trust", lead.trust]]} />
          ${
            lead.warnings?.length > 0 &&
            html`<p class="small warn-text">Dropped: ${lead.warnings.map((/** @type {any} */ w) => `${w.field} (${w.message})`).join(", ")}</p>`
          }
          ${
            lead.sources?.length > 1 &&
            html`<p class="small muted">Also told by ${lead.sources.length - 1} other ${lead.sources.length === 2 ? "lead" : "leads"}: ${lead.sources
              .filter((/** @type {any} */ s) => s.leadId !== id)
              .map(
                (/** @type {any} */ s) =>
                  html`<a key=${s.leadId} href=${`#/leads/${s.leadId}`}>${s.source}${s.sourceId ? ` ${s.sourceId}` : ""}</a> `,
              )}</p>`
          }
        <//>
        ${
          facts?.screenshot?.status === "ok" &&
          html`<${Card} title="Its site"><img class="shot" src=${`/v1/leads/${id}/screenshot`} alt=${`The web site of ${fields?.name ?? "the lead"}`} /><//>`
        }
        ${
          facts &&
          Object.keys(facts).length > 0 &&
          html`<${Card} title="What was found out">
          <${Facts} of=${[
            ["Site", words(facts.site?.status) + (facts.site?.reason ? ` (${words(facts.site.reason)})` : "")],
            ["Title", facts.site?.title],
            ["Technologies", facts.site?.technologies?.map((/** @type {any} */ t) => t.name).join(", ")],
            ["PageSpeed", facts.pagespeed?.performance],
            ["Mock-up by", facts.mockup?.by],
          ]} />
          <details><summary>All of it</summary><${Json} value=${facts} /></details>
        <//>`
        }
      </div>
    </div>`;
}
