import { useCallback, useMemo, useState } from "preact/hooks";
import { query, useLoad, usePages } from "./api.js";
import { count, num, words } from "./format.js";
import { html } from "./html.js";
import { address } from "./leads.js";
import { useEvents } from "./live.js";
import { Jobs, SettleDialog } from "./redrive.js";
import { may } from "./session.js";
import { Ago, Badge, Empty, ErrorNote, Head, Loading, Select } from "./ui.js";
import { VirtualTable } from "./virtual.js";

const hourMs = 3_600_000;
const periods = /** @type {[string, string][]} */ ([
  ["", "Any time"],
  ["1", "The last hour"],
  ["24", "The last day"],
  ["168", "The last week"],
]);

/** Dead letters: which, why, and what to do with them. @param {{ session: import("./session.js").Session, values: Record<string, string> }} props */
export function DeadPage({ session, values }) {
  const isPlatform = may(session, "platform");
  const { stage = "", error = "", hours = "", tenant = isPlatform ? "*" : "" } = values;
  const filters = { stage, error, hours, tenant };
  // Held still while the filter is: a list whose beginning moved on would be another one at each look.
  const since = useMemo(() => (hours ? Date.now() - Number(hours) * hourMs : undefined), [stage, error, hours, tenant]);
  const counts = useLoad(`/v1/dead-letters/counts${query({ tenant })}`, 10_000);
  const list = usePages(
    (cursor) => `/v1/dead-letters${query({ tenant, stage, error, since, limit: 200, cursor })}`,
    [stage, error, since, tenant],
  );
  const [picked, setPicked] = useState(/** @type {ReadonlySet<string>} */ (new Set()));
  // With the letters that were meant when it was opened: picks and filter may change behind it.
  const [dialog, setDialog] = useState(
    /** @type {null | { kind: "redrive" | "discard", which: object, said: string }} */ (null),
  );
  const [news, setNews] = useState(0);
  useEvents(["dead-letters"], (told) => told.to === "dead" && setNews((n) => n + 1));
  useEvents(["dead-letters"], () => counts.reload());
  const reload = () => {
    setNews(0);
    list.reload();
    counts.reload();
  };
  const anew = () => {
    setPicked(new Set());
    reload();
  };
  const change = (/** @type {Record<string, string>} */ more) => {
    setPicked(new Set());
    location.hash = address("dead", { ...filters, ...more });
  };
  const open = useCallback(
    (/** @type {any} */ letter) => {
      location.hash = placeOf(letter, isPlatform);
    },
    [isPlatform],
  );
  const pick = (/** @type {string} */ id) =>
    setPicked((before) => {
      const next = new Set(before);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  const columns = [
    ...(may(session, "operate")
      ? [
          {
            name: "Pick",
            width: "20px",
            hideName: true,
            cell: (/** @type {any} */ letter) =>
              letter.state === "dead" &&
              html`<input type="checkbox" aria-label=${`Pick ${letter.id}`} checked=${picked.has(letter.id)} onChange=${() => pick(letter.id)} />`,
          },
        ]
      : []),
    {
      name: "Error",
      width: "minmax(100px, 2fr)",
      cell: (/** @type {any} */ letter) => html`<a href=${placeOf(letter, isPlatform)}>${letter.errorType}</a>`,
    },
    { name: "Stage", width: "minmax(80px, 0.8fr)", cell: (/** @type {any} */ letter) => letter.stage },
    {
      name: "State",
      width: "100px",
      class: "less",
      cell: (/** @type {any} */ letter) => html`<${Badge} state=${letter.state} />`,
    },
    ...(tenant === "*"
      ? [
          {
            name: "Tenant",
            width: "minmax(80px, 0.8fr)",
            class: "less",
            cell: (/** @type {any} */ letter) => letter.tenant ?? "–",
          },
        ]
      : []),
    { name: "Lane", width: "54px", class: "less muted", cell: (/** @type {any} */ letter) => letter.lane ?? "–" },
    { name: "Tries", width: "48px", class: "n less", cell: (/** @type {any} */ letter) => letter.attempts },
    {
      name: "Lead",
      width: "minmax(90px, 1fr)",
      class: "less mono muted",
      cell: (/** @type {any} */ letter) => letter.leadId?.slice(0, 13) ?? words(letter.kind),
    },
    {
      name: "Died",
      width: "100px",
      class: "muted",
      cell: (/** @type {any} */ letter) => html`<${Ago} at=${letter.diedAt} />`,
    },
  ];
  const items = counts.data?.items ?? [];
  const stages = [...new Set(items.map((/** @type {any} */ item) => item.stage))].sort();
  const errors = [...new Set(items.map((/** @type {any} */ item) => item.error))].sort();
  const which =
    picked.size > 0
      ? { ids: [...picked] }
      : { filter: { ...(stage && { stage }), ...(error && { error }), ...(since && { since }) } };
  const said =
    picked.size > 0
      ? count(picked.size, "letter")
      : stage || error || hours
        ? "all that the filter shows"
        : "all dead letters";
  const ask = (/** @type {"redrive" | "discard"} */ kind) =>
    setDialog({ kind, which: { ...which, ...(tenant && { tenant }) }, said });
  return html`<${Head} title="Dead letters" sub=${counts.data ? `${count(counts.data.total, "letter")} of ${tenant === "*" ? "all tenants" : tenant || session.tenant}` : ""}>
      ${
        may(session, "operate") &&
        html`<button type="button" class="button" disabled=${list.items.length === 0} onClick=${() => ask("discard")}>Discard…</button>
          <button type="button" class="button primary" disabled=${list.items.length === 0} onClick=${() => ask("redrive")}>Redrive…</button>`
      }
    <//>
    ${
      items.length > 0 &&
      html`<ul class="chips" aria-label="By stage and error">
      ${items.slice(0, 12).map((/** @type {any} */ item) => {
        const on = item.stage === stage && item.error === error;
        return html`<li key=${`${item.stage} ${item.error}`}>
          <button type="button" class="chip" aria-pressed=${on} onClick=${() => change(on ? { stage: "", error: "" } : { stage: item.stage, error: item.error })}>
            <b>${num(item.count)}</b> ${item.stage} <span>${item.error}</span>
          </button>
        </li>`;
      })}
    </ul>`
    }
    <div class="filters">
      <${Select} label="Stage" value=${stage} options=${[["", "Any stage"], ...new Set([...stages, ...(stage ? [stage] : [])])]} onChange=${(/** @type {string} */ value) => change({ stage: value })} />
      <${Select} label="Error" value=${error} options=${[["", "Any error"], ...new Set([...errors, ...(error ? [error] : [])])].map((one) => (typeof one === "string" ? [one, one] : one))} onChange=${(/** @type {string} */ value) => change({ error: value })} />
      <${Select} label="Died" value=${hours} options=${periods} onChange=${(/** @type {string} */ value) => change({ hours: value })} />
      ${isPlatform && html`<${Select} label="Whose" value=${tenant} options=${[["*", "All tenants"], [session.tenant, session.tenant]]} onChange=${(/** @type {string} */ value) => change({ tenant: value })} />`}
      ${picked.size > 0 && html`<span class="check">${num(picked.size)} picked <button type="button" class="button plain" onClick=${() => setPicked(new Set())}>None</button></span>`}
      ${news > 0 && html`<button type="button" class="button" onClick=${anew}>New ones died: reload</button>`}
    </div>
    <${ErrorNote} error=${list.error ?? counts.error} retry=${reload} stale=${list.items.length > 0} />
    ${
      list.items.length === 0
        ? list.busy
          ? html`<${Loading} />`
          : !list.error &&
            html`<${Empty} title="No dead letters" icon="dead">${stage || error || hours ? "None is like that." : "What a stage cannot do after its last retry would lie here."}<//>`
        : html`<${VirtualTable} label="Dead letters" columns=${columns} items=${list.items} keyOf=${keyOf} onOpen=${open} onEnd=${list.more} />`
    }
    <${Jobs} tenant=${tenant} mayCancel=${may(session, "operate")} onDone=${reload} />
    ${dialog && html`<${SettleDialog} ...${dialog} onClose=${() => setDialog(null)} onBegun=${anew} />`}`;
}
const keyOf = (/** @type {any} */ letter) => letter.id;
/** @param {any} letter @param {boolean} isPlatform Another tenant's is asked for by its tenant. */
const placeOf = (letter, isPlatform) =>
  address(`dead/${letter.id}`, { tenant: isPlatform ? (letter.tenant ?? "*") : "" });
