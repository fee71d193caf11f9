import { query, usePages } from "./api.js";
import { words } from "./format.js";
import { html } from "./html.js";
import { address } from "./leads.js";
import { may } from "./session.js";
import { Ago, Badge, Empty, ErrorNote, Head, Loading, Select } from "./ui.js";
import { VirtualTable } from "./virtual.js";

const columns = [
  { name: "When", width: "104px", class: "muted", cell: (/** @type {any} */ done) => html`<${Ago} at=${done.at} />` },
  {
    name: "What",
    width: "minmax(120px, 1fr)",
    cell: (/** @type {any} */ done) => html`<strong>${words(done.what)}</strong>`,
  },
  {
    name: "On what",
    width: "minmax(110px, 1.2fr)",
    class: "mono",
    cell: (/** @type {any} */ done) => done.target || "–",
  },
  { name: "Who", width: "minmax(120px, 1.2fr)", class: "less", cell: (/** @type {any} */ done) => done.by },
  { name: "Tenant", width: "90px", class: "less muted", cell: (/** @type {any} */ done) => done.tenant ?? "all" },
  {
    name: "Told",
    width: "minmax(120px, 1.6fr)",
    class: "less muted mono",
    cell: (/** @type {any} */ done) => (Object.keys(done.detail ?? {}).length > 0 ? JSON.stringify(done.detail) : "–"),
  },
  {
    name: "Result",
    width: "100px",
    cell: (/** @type {any} */ done) =>
      html`<${Badge} state=${done.result === "done" ? "done" : done.result ? "error" : "unknown"} label=${done.result ?? "not known"} />`,
  },
];
const keyOf = (/** @type {any} */ done) => done.id;

/** @param {{ session: import("./session.js").Session, values: Record<string, string> }} props */
export function OperationsPage({ session, values }) {
  const { tenant = may(session, "platform") ? "*" : "" } = values;
  const list = usePages((cursor) => `/v1/operations${query({ tenant, limit: 100, cursor })}`, [tenant]);
  return html`<${Head} title="What was done" sub="Who did what, when, on what: by this page, the API or the prompt.">
      ${
        may(session, "platform") &&
        html`<${Select} label="Whose" value=${tenant} options=${[["*", "Everybody's"], [session.tenant, session.tenant]]} onChange=${(
          /** @type {string} */ value,
        ) => {
          location.hash = address("operations", { tenant: value });
        }} />`
      }
      <button type="button" class="button" onClick=${list.reload}>Reload</button>
    <//>
    <${ErrorNote} error=${list.error} retry=${list.reload} stale=${list.items.length > 0} />
    ${
      list.items.length === 0
        ? list.busy
          ? html`<${Loading} />`
          : !list.error &&
            html`<${Empty} title="Nothing was done yet" icon="operations">Pauses, redrives, discards and settings are written down here.<//>`
        : html`<${VirtualTable} label="What was done" columns=${columns} items=${list.items} keyOf=${keyOf} onEnd=${list.more} />`
    }`;
}
