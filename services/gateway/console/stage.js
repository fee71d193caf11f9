import { useState } from "preact/hooks";
import { api, useAct, useLoad } from "./api.js";
import { Chart } from "./chart.js";
import { num, rate, span } from "./format.js";
import { html } from "./html.js";
import { useEvents } from "./live.js";
import { Ago, Badge, Card, Dialog, Empty, ErrorNote, Field, Head, Loading, Stat } from "./ui.js";

/** Pauses a stage after its reason was given, or resumes it after it was asked. @param {{ stage: any, onChanged: () => void }} props */
export function PauseButton({ stage, onChanged }) {
  const [open, setOpen] = useState(false);
  const paused = stage.state === "paused";
  return html`<button type="button" class=${`button ${paused ? "primary" : ""}`} onClick=${() => setOpen(true)}>
      ${paused ? "Resume" : "Pause"}<span class="sr-only"> ${stage.name}</span>
    </button>
    ${open && html`<${PauseDialog} stage=${stage} onClose=${() => setOpen(false)} onChanged=${onChanged} />`}`;
}

/** Does what it was opened for, whatever others do to the stage meanwhile. @param {{ stage: any, onClose: () => void, onChanged: () => void }} props */
function PauseDialog({ stage, onClose, onChanged }) {
  const [{ state, by, why }] = useState(stage);
  const resumes = state === "paused";
  const [reason, setReason] = useState("");
  const { busy, error, run } = useAct(() =>
    resumes
      ? api(`/v1/stages/${stage.name}/resume`, { method: "POST" })
      : api(`/v1/stages/${stage.name}/pause`, { method: "POST", body: { reason: reason.trim() } }),
  );
  const onSubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (!(await run())) return;
    onChanged();
    onClose();
  };
  return html`<${Dialog} title=${resumes ? `Resume ${stage.name}?` : `Pause ${stage.name}?`} onClose=${onClose}>
    <form onSubmit=${onSubmit}>
      <p>
        ${
          resumes
            ? html`It was paused ${by ? html`by <strong>${by}</strong>` : ""}${why ? html`: “${why}”` : "."} All its instances take leads again, ${num(stage.backlog)} wait.`
            : "All its instances finish what they have in hand and take no more. Leads wait in the mailbox, none is lost; the stages before it go on until the mailbox is full."
        }
      </p>
      ${
        !resumes &&
        html`<${Field} label="Why" hint="Whoever finds it paused reads this.">
        <input required maxlength="500" value=${reason} onInput=${(/** @type {any} */ event) => setReason(event.target.value)} />
      <//>`
      }
      <${ErrorNote} error=${error} />
      <div class="dialog-foot">
        <button type="button" class="button" onClick=${onClose}>Cancel</button>
        <button class=${`button ${resumes ? "primary" : "danger"}`} disabled=${busy || (!resumes && reason.trim() === "")}>${resumes ? "Resume" : "Pause"} ${stage.name}</button>
      </div>
    </form>
  <//>`;
}

/** One stage: how it is, its last hour, its lanes and its instances. @param {{ id: string }} props */
export function StagePage({ id }) {
  const stages = useLoad("/v1/stages", 2_000);
  const history = useLoad(`/v1/stages/history?stage=${encodeURIComponent(id)}`, 15_000);
  useEvents(["stage"], () => stages.reload());
  const stage = stages.data?.stages.find((/** @type {any} */ s) => s.name === id);
  const back = { back: "#/flow", backName: "Flow" };
  if (!stages.data)
    return html`<${Head} title=${id} ...${back} /><${ErrorNote} error=${stages.error} retry=${stages.reload} />${!stages.error && html`<${Loading} />`}`;
  if (!stage) return html`<${Head} title=${id} ...${back} /><${Empty} title="There is no such stage" />`;
  const curves = history.data?.stages[id];
  const at = history.data?.at ?? [];
  const inHand = stage.lanes.reduce((/** @type {number} */ sum, lane) => sum + lane.unacknowledged, 0);
  return html`<${Head} title=${id} ...${back}>
      <a class="button" href=${`#/dead?stage=${encodeURIComponent(id)}`}>Dead letters</a>
      <a class="button" href=${`#/logs?stage=${encodeURIComponent(id)}`}>Logs</a>
      <${PauseButton} stage=${stage} onChanged=${stages.reload} />
    <//>
    <${ErrorNote} error=${stages.error} retry=${stages.reload} stale />
    <p class="sr-only" role="status">${id}: ${stage.state}</p>
    <p class="state-line">
      <${Badge} state=${stage.state} />
      ${stage.since && html`<span>since ${span(Date.now() - stage.since)}</span>`}
      ${stage.by && html`<span>by ${stage.by}</span>`}
      ${stage.why && html`<span class="why">${stage.why}</span>`}
    </p>
    <dl class="stats">
      <${Stat} name="Backlog" value=${num(stage.backlog)} sub=${stage.about ? " about" : " leads"} />
      <${Stat} name="In hand" value=${num(inHand)} sub=" leads" />
      <${Stat} name="Parked" value=${num(stage.parked)} sub="" />
      <${Stat} name="Rate" value=${rate(stage.rate)} sub=" leads/s" />
      <${Stat} name="Oldest" value=${span(stage.oldestMs)} sub="" />
      <${Stat} name="Drains in" value=${stage.backlog === 0 ? "–" : stage.drainSeconds === null ? "never" : span(stage.drainSeconds * 1_000)} sub="" tone=${stage.drainSeconds === null ? "warn" : ""} />
    </dl>
    <${Card} title="The last hour" aside=${html`<span class="muted small">${at.length > 0 ? `since ${new Date(at[0]).toLocaleTimeString("en-GB")}` : ""}</span>`}>
      <${ErrorNote} error=${history.error} retry=${history.reload} stale=${history.data !== null} />
      ${
        curves && at.length > 0
          ? html`<div class="charts">
            <${Chart} title="Leads in the mailbox" at=${at} format=${num} series=${[
              { name: "Backlog", values: curves.backlog, colour: "--accent" },
              { name: "In hand", values: curves.inHand, colour: "--good" },
              { name: "Parked", values: curves.parked, colour: "--warn" },
            ]} />
            <${Chart} title="Leads a second" at=${at} format=${rate} series=${[{ name: "Rate", values: curves.rate, colour: "--good" }]} />
            <${Chart} title="Age of the oldest" at=${at} format=${span} series=${[{ name: "Oldest", values: curves.oldestMs, colour: "--warn" }]} />
          </div>`
          : !history.error &&
            html`<${Empty} title="The first point comes within a quarter of a minute">The service that watches has just begun.<//>`
      }
    <//>
    <div class="columns">
      <${Card} title="Lanes">
        <div class="scroll-x" tabindex="0" role="region" aria-label="Table of the lanes">
        <table class="table">
          <thead><tr><th>Lane</th><th class="n">Ready</th><th class="n">In hand</th><th class="n">Parked</th><th class="n">Oldest</th><th class="n">Redelivered</th></tr></thead>
          <tbody>
            ${stage.lanes.map(
              (/** @type {any} */ lane) => html`<tr key=${lane.lane}>
                <th scope="row">${lane.lane}</th><td class="n">${num(lane.ready)}</td><td class="n">${num(lane.unacknowledged)}</td>
                <td class="n">${num(lane.parked)}</td><td class="n">${span(lane.oldestMs)}</td><td class="n">${num(lane.redelivered)}</td>
              </tr>`,
            )}
          </tbody>
        </table>
        </div>
      <//>
      <${Card} title="Instances">
        ${
          stage.instances.length === 0
            ? html`<${Empty} title="No instance tells of itself" icon="mesh">Start one, or look at <a href="#/mesh">the nodes</a>.<//>`
            : html`<div class="scroll-x" tabindex="0" role="region" aria-label="Table of the instances">
            <table class="table">
              <thead><tr><th>Node</th><th>State</th><th>Lanes</th><th class="n">In hand</th><th class="n">Since</th></tr></thead>
              <tbody>
                ${stage.instances.map(
                  (/** @type {any} */ one) => html`<tr key=${one.node}>
                    <th scope="row" class="mono">${one.node}</th><td><${Badge} state=${one.state} /></td>
                    <td>${one.lanes}</td><td class="n">${num(one.inHand)}</td><td class="n"><${Ago} at=${one.since} /></td>
                  </tr>`,
                )}
              </tbody>
            </table>
            </div>`
        }
      <//>
    </div>`;
}
