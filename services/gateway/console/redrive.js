import { useState } from "preact/hooks";
import { api, query, useAct, useLoad } from "./api.js";
import { count, num, words } from "./format.js";
import { html } from "./html.js";
import { useEvents } from "./live.js";
import { Ago, Badge, Card, Dialog, ErrorNote, Field, Meter } from "./ui.js";

/** Redrives and discards: tried dry first, then begun, then watched. */

/** @param {{ left: any[] | undefined }} props */
function Left({ left }) {
  if (!left?.length) return null;
  return html`<details>
    <summary>${count(left.length, "letter")} would stay dead</summary>
    <ul class="left">
      ${left.slice(0, 20).map(
        ({ id, why, faults }) => html`<li key=${id}>
          <code>${id}</code> ${words(why)}${faults?.length > 0 ? `: ${faults.map((/** @type {any} */ f) => `${f.field} ${f.message}`).join(", ")}` : ""}
        </li>`,
      )}
    </ul>
  </details>`;
}

/** What a dry run said. A discard opens no letter. @param {{ found: any }} props */
export const DryRun = ({ found }) =>
  html`<div class=${`note ${found.matched > 0 && found.redrivable !== 0 ? "good" : "warn"}`} role="status">
    <div>
      <strong>${count(found.matched, "letter")} ${found.matched === 1 ? "matches" : "match"}.</strong>
      ${found.looked > 0 && ` Of the ${num(found.looked)} that were opened, ${num(found.redrivable)} can be put back.`}
      ${found.looked === 0 && found.matched > 0 && " None was opened: what cannot be put back will stay dead."}
      <${Left} left=${found.left} />
    </div>
  </div>`;

/**
 * @param {{ kind: "redrive" | "discard", which: any, said: string, patch?: object, onClose: () => void, onBegun: () => void }} props
 */
export function SettleDialog({ kind, which, said, patch, onClose, onBegun }) {
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [reason, setReason] = useState("");
  const [rate, setRate] = useState("");
  const [limit, setLimit] = useState("");
  const body = {
    ...which,
    ...(patch && { patch }),
    ...(kind === "discard" && { reason: reason.trim() }),
    ...(rate && { rate: Number(rate) }),
    ...(limit && { limit: Number(limit) }),
  };
  const ask = useAct(() => api(`/v1/dead-letters/${kind}`, { method: "POST", body: { ...body, dryRun: true } }));
  const go = useAct(() => api(`/v1/dead-letters/${kind}`, { method: "POST", body }));
  const isReady = kind === "redrive" || reason.trim() !== "";
  const verb = kind === "redrive" ? "Redrive" : "Discard";
  const onSubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (!found) return setFound((await ask.run()) ?? null);
    if (!(await go.run())) return;
    onBegun();
    onClose();
  };
  const number = (
    /** @type {string} */ label,
    /** @type {string} */ value,
    /** @type {(v: string) => void} */ set,
    /** @type {number} */ max,
    /** @type {string} */ hint,
  ) =>
    html`<${Field} label=${label} hint=${hint}>
      <input type="number" min="1" max=${max} step="1" value=${value} onInput=${(/** @type {any} */ event) => {
        set(event.target.value);
        setFound(null);
      }} />
    <//>`;
  // Letters that the dry run did not reach, the job does.
  const doable = found && found.matched > 0 && (found.redrivable !== 0 || found.looked === 0);
  return html`<${Dialog} title=${`${verb} ${said}`} onClose=${onClose}>
    <form onSubmit=${onSubmit}>
      <p>
        ${
          kind === "discard"
            ? "They are put away for good. Their leads end as discarded, with your reason."
            : patch
              ? "The lead is changed as you wrote, and begins anew at the first stage."
              : "Each goes back once, into the stage that it died in, with fresh tries."
        }
      </p>
      ${
        kind === "discard" &&
        html`<${Field} label="Why"><input required maxlength="200" value=${reason} onInput=${(/** @type {any} */ event) => setReason(event.target.value)} /><//>`
      }
      ${
        !which.ids &&
        html`<div class="pair">
          ${number("At most", limit, setLimit, 1_000_000_000, "Letters; empty: all.")}
          ${number("Rate", rate, setRate, 10_000, "Letters a second; empty: as fast as they go.")}
        </div>`
      }
      ${found && html`<${DryRun} found=${found} />`}
      <${ErrorNote} error=${ask.error ?? go.error} />
      <div class="dialog-foot">
        <button type="button" class="button" onClick=${onClose}>Cancel</button>
        ${
          found
            ? html`<button key="go" class=${`button ${kind === "discard" ? "danger" : "primary"}`} disabled=${go.busy || !doable || !isReady}>${verb} ${num(limit ? Math.min(Number(limit), found.matched) : found.matched)}</button>`
            : html`<button key="dry" class="button primary" disabled=${ask.busy || !isReady}>${ask.busy ? "Looking…" : "See what would be done"}</button>`
        }
      </div>
    </form>
  <//>`;
}

/** @param {{ job: any, mayCancel: boolean, onChanged: () => void }} props */
function Job({ job, mayCancel, onChanged }) {
  const cancel = useAct(() =>
    api(`/v1/dead-letters/jobs/${job.id}/cancel${query({ tenant: job.tenant })}`, { method: "POST" }),
  );
  const left = Object.values(job.leftDead).reduce((/** @type {number} */ sum, n) => sum + Number(n), 0);
  const done = job.redriven + job.discarded + left;
  const act = async () => {
    await cancel.run();
    onChanged();
  };
  return html`<li class="job">
    <div class="job-head">
      <strong>${job.kind}</strong><${Badge} state=${job.state} />
      <span class="muted small"><${Ago} at=${job.createdAt} /> by ${job.by}</span>
      ${job.state === "running" && mayCancel && html`<button type="button" class="button" disabled=${cancel.busy} onClick=${act}>Stop</button>`}
    </div>
    <${Meter} label=${`${job.kind}: done`} value=${done} of=${job.most ? Math.min(job.most, job.matched) : job.matched} tone=${job.state === "done" ? "good" : ""} />
    <p class="small muted">
      ${num(done)} of ${num(job.matched)}${job.patched ? `, mended: ${job.patched.join(", ")}` : ""}${job.reason ? `, “${job.reason}”` : ""}
      ${
        left > 0 &&
        ` · left dead: ${Object.entries(job.leftDead)
          .map(([why, n]) => `${n} ${words(why)}`)
          .join(", ")}`
      }
    </p>
    <${ErrorNote} error=${cancel.error} />
  </li>`;
}

/** What was begun lately. @param {{ tenant: string, mayCancel: boolean, onDone: () => void }} props */
export function Jobs({ tenant, mayCancel, onDone }) {
  const jobs = useLoad(`/v1/dead-letters/jobs${query({ tenant, limit: 10 })}`, 5_000);
  useEvents(
    ["job"],
    (job) => {
      jobs.reload();
      if (job.state === "done") onDone();
    },
    [onDone],
  );
  const items = jobs.data?.items ?? [];
  if (items.length === 0) return null;
  return html`<${Card} title="Redrives and discards" class="after">
    <ul class="jobs">${items.map((/** @type {any} */ job) => html`<${Job} key=${job.id} job=${job} mayCancel=${mayCancel} onChanged=${jobs.reload} />`)}</ul>
  <//>`;
}
