import { useRef } from "preact/hooks";
import { useLoad } from "./api.js";
import { num, rate, share, span } from "./format.js";
import { html } from "./html.js";
import { useEvents } from "./live.js";
import { may } from "./session.js";
import { Ago, Badge, Empty, Head, Loaded } from "./ui.js";

/** One that said nothing for so long was cut off with its gateway, ms. */
const silentMs = 15_000;

/** What became of its leads: the answer's word, and ours. */
const ends = [
  ["completed", "completed"],
  ["merged", "merged"],
  ["rejected", "rejected"],
  ["discarded", "discarded"],
  ["erased", "erased"],
  ["dead", "dead"],
  ["inProgress", "in progress"],
];

/** @param {{ flow: any }} props */
function Flow({ flow }) {
  const parts = ends
    .map(([key, word]) => ({ key, word, n: flow[/** @type {string} */ (key)] }))
    .filter(({ n }) => n > 0);
  const all = parts.reduce((sum, { n }) => sum + n, 0);
  return html`${all > 0 && html`<div class="import-bar import-leads" aria-hidden="true">${parts.map(({ key, n }) => html`<i key=${key} class=${key} style=${{ width: `${(n / all) * 100}%` }} />`)}</div>`}
    <ul class="import-flow" aria-label="What became of its leads">
      ${flow.about && html`<li class="muted">about</li>`}
      ${parts.map(({ key, word, n }) => html`<li key=${key}><i class=${key} aria-hidden="true" /><b>${num(n)}</b> ${word} <span class="muted">${share(n, all)}</span></li>`)}
      ${flow.repeated > 0 && html`<li class="muted">${num(flow.repeated)} told before</li>`}
    </ul>`;
}

/** @param {{ told: any, before: any, showTenant: boolean }} props */
function Import({ told, before, showTenant }) {
  const now = Date.now();
  const state =
    told.state === "running" && now - told.toldAt > silentMs ? "cut_off" : told.state === "ended" ? "done" : told.state;
  const ms = told.toldAt - (before?.toldAt ?? told.startedAt);
  const perSecond = ms > 0 ? ((told.rows - (before?.rows ?? 0)) * 1_000) / ms : 0;
  const wide = (/** @type {number} */ n) => ({ width: told.rows > 0 ? `${(n / told.rows) * 100}%` : "0" });
  return html`<li class="card import">
    <div class="job-head">
      <${Badge} state=${state} label=${state === "done" ? "ended" : undefined} />
      ${showTenant && html`<strong>${told.tenant}</strong>`}
      <code class="muted">${told.importId}</code>
      <span class="muted small">begun <${Ago} at=${told.startedAt} />${state === "running" ? ` · ${rate(perSecond)} rows/s` : ` · took ${span(told.toldAt - told.startedAt)}`}</span>
    </div>
    <div class=${`import-bar ${state}`} aria-hidden="true"><i class="taken" style=${wide(told.accepted)} /><i class="refused" style=${wide(told.refused)} /></div>
    <p><b>${num(told.rows)}</b> rows read, <b>${num(told.accepted)}</b> accepted, <b class=${told.refused > 0 ? "warn-text" : ""}>${num(told.refused)}</b> refused</p>
    ${told.flow && html`<${Flow} flow=${told.flow} />`}
  </li>`;
}

/** @param {{ session: import("./session.js").Session }} props */
export function ImportsPage({ session }) {
  const load = useLoad("/v1/imports", 2_000);
  useEvents(["import"], () => load.reload());
  const before = useRef(/** @type {Map<string, any>} */ (new Map()));
  const last = useRef(/** @type {Map<string, any>} */ (new Map()));
  return html`<${Head} title="Imports" sub="Uploads that go on, and those of the last day, and what became of their leads." />
    <${Loaded} load=${load}>
      ${(/** @type {any} */ { items }) => {
        for (const told of items) {
          const known = last.current.get(told.importId);
          if (known && known.toldAt !== told.toldAt) before.current.set(told.importId, known);
          last.current.set(told.importId, told);
        }
        return items.length === 0
          ? html`<${Empty} title="No import lately" icon="imports">Send a file to <code>POST /v1/leads/bulk</code>; <code>npm run import</code> shows its own progress.<//>`
          : html`<ul aria-label="Imports">${items.map((/** @type {any} */ told) => html`<${Import} key=${told.importId} told=${told} before=${before.current.get(told.importId)} showTenant=${may(session, "platform")} />`)}</ul>`;
      }}
    <//>`;
}
