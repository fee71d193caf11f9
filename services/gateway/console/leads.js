import { useCallback, useState } from "preact/hooks";
import { query, usePages } from "./api.js";
import { num, words } from "./format.js";
import { html } from "./html.js";
import { Ago, Badge, Empty, ErrorNote, Field, Head, Icon, Loading, Select } from "./ui.js";
import { VirtualTable } from "./virtual.js";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const states = ["in_progress", "completed", "merged", "rejected", "dead", "discarded", "erased"];

/** Puts what is filtered by into the address, so that it can be kept and sent to others. @param {string} place @param {Record<string, unknown>} values */
export const address = (place, values) => `#/${place}${query(values)}`;

/** @param {any} fields */
export const placeOf = (fields) => [fields?.address?.city, fields?.address?.state].filter(Boolean).join(", ");

const columns = [
  {
    name: "Name",
    width: "minmax(160px, 2.2fr)",
    cell: (/** @type {any} */ lead) => html`<a href=${`#/leads/${lead.id}`}>${lead.fields?.name ?? "(erased)"}</a>`,
  },
  {
    name: "State",
    width: "minmax(118px, 0.9fr)",
    cell: (/** @type {any} */ lead) => html`<${Badge} state=${lead.status} />`,
  },
  {
    name: "Why",
    width: "minmax(90px, 1fr)",
    class: "less muted",
    cell: (/** @type {any} */ lead) => words(lead.reason),
  },
  { name: "Stage", width: "90px", class: "less", cell: (/** @type {any} */ lead) => lead.stage ?? "–" },
  { name: "Score", width: "52px", class: "n", cell: (/** @type {any} */ lead) => lead.score?.value ?? "–" },
  {
    name: "Where",
    width: "minmax(110px, 1fr)",
    class: "less muted",
    cell: (/** @type {any} */ lead) => placeOf(lead.fields) || "–",
  },
  {
    name: "Source",
    width: "minmax(70px, 0.6fr)",
    class: "less muted",
    cell: (/** @type {any} */ lead) => lead.source ?? "–",
  },
  {
    name: "Taken in",
    width: "104px",
    class: "less muted",
    cell: (/** @type {any} */ lead) => html`<${Ago} at=${lead.acceptedAt} />`,
  },
];

/** @param {{ values: Record<string, string> }} props */
export function LeadsPage({ values }) {
  const { q = "", status = "", source = "", minScore = "", sort = "accepted" } = values;
  const [text, setText] = useState(q);
  const filters = { q, status, source, minScore, sort: sort === "accepted" ? "" : sort };
  const pathOf = (/** @type {string | undefined} */ cursor) => `/v1/leads${query({ ...filters, limit: 200, cursor })}`;
  const list = usePages(pathOf, Object.values(filters));
  const change = (/** @type {Record<string, string>} */ more) => {
    location.hash = address("leads", { ...filters, ...more });
  };
  const search = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const wanted = text.trim();
    if (uuid.test(wanted)) location.hash = `#/leads/${wanted.toLowerCase()}`;
    else change({ q: wanted });
  };
  const open = useCallback((/** @type {any} */ lead) => {
    location.hash = `#/leads/${lead.id}`;
  }, []);
  const isFiltered = Object.values(filters).some((value) => value !== "");
  return html`<${Head} title="Leads" sub=${list.items.length > 0 ? `${num(list.items.length)} ${list.next ? "shown, more below" : list.items.length === 1 ? "lead" : "leads"}, ${sort === "score" ? "best" : "newest"} first` : ""}>
      <button type="button" class="button" onClick=${list.reload}>Reload</button>
    <//>
    <form class="filters" role="search" onSubmit=${search}>
      <${Field} label="Find" class="wide">
        <input type="search" placeholder="E-mail, phone (+13125550142), domain or id" value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} />
      <//>
      <button class="button square" aria-label="Find"><${Icon} name="search" /></button>
      <${Select} label="State" value=${status} options=${[["", "Any state"], ...states]} onChange=${(/** @type {string} */ value) => change({ status: value })} />
      <${Select} label="Score" value=${minScore} options=${[["", "Any score"], ["20", "20 or more"], ["40", "40 or more"], ["60", "60 or more"], ["80", "80 or more"]]} onChange=${(/** @type {string} */ value) => change({ minScore: value })} />
      <${Select} label="Order" value=${sort} options=${[["accepted", "Newest first"], ["score", "Best first"]]} onChange=${(/** @type {string} */ value) => change({ sort: value === "accepted" ? "" : value })} />
      ${isFiltered && html`<a class="button" href="#/leads" onClick=${() => setText("")}>Clear</a>`}
    </form>
    <${ErrorNote} error=${list.error} retry=${list.items.length > 0 ? list.more : list.reload} stale=${list.items.length > 0} />
    ${
      list.items.length === 0
        ? list.busy
          ? html`<${Loading} />`
          : !list.error &&
            html`<${Empty} title=${isFiltered ? "No lead is like that" : "No leads yet"} icon="leads">
              ${isFiltered ? "An e-mail address, a phone number or a domain must be whole." : html`Send one: <code>POST /v1/leads</code>, or a file: <code>npm run import -- leads.csv</code>`}
            <//>`
        : html`<${VirtualTable} label="Leads" columns=${columns} items=${list.items} keyOf=${keyOf} onOpen=${open} onEnd=${list.more} />`
    }`;
}
const keyOf = (/** @type {any} */ lead) => lead.id;
