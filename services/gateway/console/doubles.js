import { useEffect, useState } from "preact/hooks";
import { api, useAct, usePages } from "./api.js";
import { words } from "./format.js";
import { html } from "./html.js";
import { fieldPairs } from "./lead.js";
import { address } from "./leads.js";
import { Ago, Badge, Dialog, Empty, ErrorNote, Head, Loading, Select } from "./ui.js";

/** Pairs of leads that may be one business, side by side. */

const grounds = {
  doubt: "What they tell does not decide it.",
  conflict: "They look the same, but one of them is one lead with another that the other is kept apart from.",
  unmerge: "They were merged, and that was undone.",
};

/** @param {{ review: any, onDecided: () => void, onReload: () => void }} props */
function Review({ review, onDecided, onReload }) {
  const [sure, setSure] = useState(false);
  const { busy, error, run } = useAct((decision) =>
    api(`/v1/reviews/${review.id}`, { method: "POST", body: { decision } }),
  );
  const [a, b] = review.leads;
  const act = async (/** @type {string} */ decision) => {
    if (!(await run(decision))) return;
    setSure(false);
    onDecided();
  };
  const left = new Map(fieldPairs(a?.fields));
  const right = new Map(fieldPairs(b?.fields));
  const names = [...new Set([...left.keys(), ...right.keys()])].filter((name) => left.get(name) || right.get(name));
  const nameOf = (/** @type {any} */ lead) => lead?.fields?.name ?? "a lead";
  return html`<article class="card review" aria-label=${`${nameOf(a)} and ${nameOf(b)}`}>
    <div class="review-head">
      <div>
        <p>${grounds[review.ground] ?? words(review.ground)}</p>
        <p class="muted small">asked <${Ago} at=${review.openedAt} />${review.weight === null ? "" : html`, evidence <b>${review.weight > 0 ? "+" : ""}${review.weight.toFixed(1)}</b> bits`}</p>
      </div>
      ${
        review.state === "open"
          ? html`<div class="review-acts">
            <button type="button" class="button" disabled=${busy} onClick=${() => act("keep_apart")}>Two businesses</button>
            <button type="button" class="button primary" disabled=${busy} onClick=${() => setSure(true)}>The same…</button>
          </div>`
          : html`<${Badge} state=${review.state === "merged" ? "done" : "quiet"} label=${review.state === "merged" ? "merged" : "kept apart"} />`
      }
    </div>
    <${ErrorNote} error=${sure ? null : error} retry=${error?.status === 409 ? onReload : undefined} />
    <div class="scroll-x" tabindex="0" role="region" aria-label="Side by side">
      <table class="table sides">
        <thead><tr>
          <th><span class="sr-only">Field</span></th>
          ${[a, b].map((lead, n) => html`<th key=${n}><a href=${`#/leads/${lead?.id}`}>${n === 0 ? "One" : "Other"}</a> <span class="muted">${lead?.source} · ${words(lead?.status)}</span></th>`)}
        </tr></thead>
        <tbody>
          ${names.map((name) => {
            const [one, other] = [left.get(name), right.get(name)];
            const how = one && other ? (one === other ? "same" : "differs") : "one-sided";
            return html`<tr key=${name} class=${how}><th scope="row" class="muted">${name}</th><td>${one || "–"}</td><td>${other || "–"}${how === "differs" && html`<span class="sr-only"> (differs)</span>`}</td></tr>`;
          })}
        </tbody>
      </table>
    </div>
    ${
      review.evidence?.length > 0 &&
      html`<ul class="evidence" aria-label="Evidence">
      ${review.evidence.map((/** @type {any} */ e) => html`<li key=${e.level} class=${e.weight > 0 ? "for" : "against"}>${words(e.level)} <b>${e.weight > 0 ? "+" : ""}${e.weight.toFixed(1)}</b></li>`)}
    </ul>`
    }
    ${
      sure &&
      html`<${Dialog} title="Make them one lead?" onClose=${() => setSure(false)}>
      <p><strong>${nameOf(a)}</strong> and <strong>${nameOf(b)}</strong> become one. Of the two, one goes on; the other ends as merged. It can be undone.</p>
      <${ErrorNote} error=${error} />
      <div class="dialog-foot">
        <button type="button" class="button" onClick=${() => setSure(false)}>Cancel</button>
        <button type="button" class="button primary" disabled=${busy} onClick=${() => act("merge")}>Make them one</button>
      </div>
    <//>`
    }
  </article>`;
}

/** @param {{ values: Record<string, string> }} props */
export function DoublesPage({ values }) {
  const { state = "open" } = values;
  const list = usePages((cursor) => `/v1/reviews?state=${state}&limit=20${cursor ? `&cursor=${cursor}` : ""}`, [state]);
  const [gone, setGone] = useState(/** @type {ReadonlySet<string>} */ (new Set()));
  const items = list.items.filter(({ id }) => state !== "open" || !gone.has(id));
  const isEmpty = items.length === 0;
  // A page that is all answered makes room for the next.
  useEffect(() => {
    if (isEmpty && list.next && !list.busy && !list.error) list.more();
  }, [isEmpty, list.next, list.busy, list.error]);
  return html`<${Head} title="Doubles" sub="Pairs that may be one business. What you say is remembered for ever.">
      <${Select} label="Show" value=${state} options=${[["open", "To be decided"], ["merged", "Merged"], ["apart", "Kept apart"]]} onChange=${(
        /** @type {string} */ value,
      ) => {
        location.hash = address("doubles", { state: value });
      }} />
    <//>
    <${ErrorNote} error=${list.error} retry=${list.reload} stale=${items.length > 0} />
    ${items.map((review) => html`<${Review} key=${review.id} review=${review} onDecided=${() => setGone(new Set([...gone, review.id]))} onReload=${list.reload} />`)}
    ${isEmpty && !list.error && (list.busy || list.next ? html`<${Loading} />` : html`<${Empty} title=${state === "open" ? "No pair is in doubt" : "None yet"} icon="doubles">Pairs that the evidence does not decide are asked here.<//>`)}
    ${list.next && html`<button type="button" class="button" disabled=${list.busy} onClick=${list.more}>More</button>`}`;
}
