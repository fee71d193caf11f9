import { useEffect, useId, useRef } from "preact/hooks";
import { ago, full, words } from "./format.js";
import { html } from "./html.js";

/** The parts that all screens are made of. */

/** State -> how it is meant: good, in motion, to be looked at, bad, or none of these. */
const tones = {
  working: "good",
  completed: "good",
  sent: "good",
  delivered: "good",
  done: "good",
  redriven: "good",
  available: "good",
  merged: "quiet",
  in_progress: "info",
  queued: "info",
  running: "info",
  draining: "info",
  written: "info",
  claimed: "info",
  sending: "info",
  paused: "warn",
  slow: "warn",
  warn: "warn",
  unknown: "warn",
  deferred: "warn",
  outage: "bad",
  silent: "bad",
  absent: "bad",
  dead: "bad",
  error: "bad",
  fatal: "bad",
  bounced: "bad",
  complained: "bad",
  offline: "bad",
  cut_off: "bad",
};

/** @param {{ state: string, label?: string }} props */
export const Badge = ({ state, label }) =>
  html`<span class=${`badge ${tones[state] ?? "quiet"}`}>${label ?? words(state)}</span>`;

/** @param {string} state */
export const toneOf = (state) => tones[state] ?? "quiet";

const paths = {
  flow: "M3 8h4m4 0h4M9 6v4M3 16h8m4 0h2M13 14v4",
  leads: "M10 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6Zm-6 8c0-3 2.5-5 6-5s6 2 6 5",
  dead: "M3 6h14v10H3zM3 6l7 5 7-5M7 3l6 0",
  doubles: "M7 4h9v9M4 7h9v9H4z",
  imports: "M10 3v9m-4-4 4 4 4-4M3 14v3h14v-3",
  figures: "M3 17V9m5 8V4m5 13v-6m4 6V7",
  budget: "M10 3v14M14 6.5C13 5 7 4.500 7 7.500s7 1.500 7 4.500-6 3-8 1",
  mail: "M3 5h14v10H3zM3 6l7 5 7-5",
  mesh: "M4 5h5v5H4zM11 10h5v5h-5zM9 7.500h4.500V10",
  logs: "M4 5h12M4 8.500h8M4 12h12M4 15.500h6",
  operations: "M10 4v6l4 2M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14Z",
  menu: "M3 6h14M3 10h14M3 14h14",
  close: "M5 5l10 10M15 5 5 15",
  theme: "M10 3a7 7 0 1 0 0 14Z M10 3a7 7 0 0 1 0 14",
  out: "M8 3H4v14h4M12 6l4 4-4 4M16 10H8",
  back: "M12 4l-6 6 6 6",
  search: "M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12Zm4.500-1.500L17 17",
};
/** @param {{ name: keyof typeof paths }} props */
export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d=${paths[name]} /></svg>`;

/** A moment, as how long ago it was; the moment itself as its title. @param {{ at: number | null | undefined }} props */
export const Ago = ({ at }) =>
  at == null ? "–" : html`<time dateTime=${new Date(at).toISOString()} title=${full(at)}>${ago(at)}</time>`;

/** @param {{ title: string, children?: any, icon?: keyof typeof paths }} props */
export const Empty = ({ title, children, icon = "flow" }) =>
  html`<div class="empty"><${Icon} name=${icon} /><p class="empty-title">${title}</p><div>${children}</div></div>`;

/** @param {{ error: import("./api.js").Problem | null, retry?: () => void, stale?: boolean }} props */
export function ErrorNote({ error, retry, stale }) {
  if (!error) return null;
  return html`<div class="note bad" role="alert">
    <div>
      <strong>${error.dependency ? `${error.dependency} is down` : error.title}.</strong> ${error.message}
      ${stale ? " What you see is what was last known." : ""}
      ${
        error.faults.length > 0 &&
        html`<ul>
        ${error.faults.map(({ field, message }) => html`<li><code>${field}</code> ${message}</li>`)}
      </ul>`
      }
      ${error.requestId && error.status >= 500 && html`<p class="muted small">Request <code>${error.requestId}</code></p>`}
    </div>
    ${retry && html`<button type="button" class="button" onClick=${retry}>Try again</button>`}
  </div>`;
}

export const Loading = () =>
  html`<div class="loading" role="status"><span class="sr-only">Loading</span><i /><i /><i /></div>`;

/** Shows what was loaded, or that it comes, or why it does not. @param {{ load: { data: any, error: any, reload: () => void }, children: (data: any) => any }} props */
export const Loaded = ({ load: { data, error, reload }, children }) =>
  html`${error && html`<${ErrorNote} error=${error} retry=${reload} stale=${data !== null} />`}
  ${data === null ? !error && html`<${Loading} />` : children(data)}`;

/** @param {{ title: string, sub?: any, children?: any, back?: string, backName?: string }} props */
export const Head = ({ title, sub, children, back, backName }) =>
  html`<header class="head">
    <div class="head-title">
      ${back && html`<a class="back" href=${back}><${Icon} name="back" />${backName}</a>`}
      <h1 id="title" tabindex="-1">${title}</h1>
      ${sub && html`<p class="muted">${sub}</p>`}
    </div>
    <div class="head-actions">${children}</div>
  </header>`;

/** @param {{ title: string, children?: any, aside?: any, class?: string }} props */
export const Card = ({ title, children, aside, class: name = "" }) => {
  const id = useId();
  return html`<section class=${`card ${name}`} aria-labelledby=${id}>
    <div class="card-head"><h2 id=${id}>${title}</h2>${aside}</div>
    ${children}
  </section>`;
};

/** Pairs of a name and a value; those without a value are left out. @param {{ of: [string, any][] }} props */
export const Facts = ({ of }) =>
  html`<dl class="facts">
    ${of
      .filter(([, value]) => value !== undefined && value !== null && value !== "")
      .map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;

/** @param {{ name: string, value: any, sub?: any, tone?: string }} props */
export const Stat = ({ name, value, sub, tone = "" }) =>
  html`<div class=${`stat ${tone}`}><dt>${name}</dt><dd>${value}<small>${sub}</small></dd></div>`;

/** How full something is. @param {{ label: string, value: number, of: number | null, tone?: string }} props */
export function Meter({ label, value, of, tone = "" }) {
  const share = of && of > 0 ? Math.min(1, value / of) : 0;
  return html`<div class=${`meter ${tone}`} role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(share * 100)}>
    <i style=${{ width: `${share * 100}%` }} />
  </div>`;
}

/** @param {{ label: string, children: any, hint?: string, class?: string }} props */
export const Field = ({ label, children, hint, class: name = "" }) =>
  html`<label class=${`field ${name}`}><span>${label}</span>${children}${hint && html`<small>${hint}</small>`}</label>`;

/** @param {{ label: string, value: string, options: (string | [string, string])[], onChange: (value: string) => void }} props */
export const Select = ({ label, value, options, onChange }) =>
  html`<${Field} label=${label}>
    <select value=${value} onChange=${(/** @type {any} */ event) => onChange(event.target.value)}>
      ${options.map((option) => {
        const [id, name] = typeof option === "string" ? [option, words(option)] : option;
        return html`<option key=${id} value=${id} selected=${id === value}>${name}</option>`;
      })}
    </select>
  <//>`;

/** A dialog that keeps the keyboard until it is closed. @param {{ title: string, onClose: () => void, children: any, wide?: boolean }} props */
export function Dialog({ title, onClose, children, wide = false }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    ref.current?.showModal();
    return () => before?.focus();
  }, []);
  const onCancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${ref} class=${wide ? "wide" : ""} aria-labelledby=${id} onCancel=${onCancel}>
    <div class="dialog-head">
      <h2 id=${id}>${title}</h2>
      <button type="button" class="button plain square" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
    </div>
    ${children}
  </dialog>`;
}
