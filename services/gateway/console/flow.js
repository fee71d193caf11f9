import { useLoad } from "./api.js";
import { Spark } from "./chart.js";
import { ago, num, rate, span } from "./format.js";
import { html } from "./html.js";
import { useEvents } from "./live.js";
import { may } from "./session.js";
import { Troubles, useTroubles } from "./trouble.js";
import { Badge, ErrorNote, Head, Loading, Stat, toneOf } from "./ui.js";

/** The mesh at one look: what is slow, what is stuck, since when, why, and where to act. */

/** @param {{ stage: any, history: any, dead: number }} props */
function StageNode({ stage, history, dead }) {
  const curve = history?.stages[stage.name]?.backlog ?? [];
  return html`<li class=${`node ${toneOf(stage.state)} ${stage.beside ? "side" : ""} ${stage.rate > 0 ? "moves" : ""}`}>
    <a class="node-card" href=${`#/stages/${stage.name}`}>
      <span class="node-head"><strong>${stage.name}</strong> <${Badge} state=${stage.state} /></span>
      <span class="node-figure">${stage.about && stage.backlog > 0 ? html`<small><span aria-hidden="true">~</span></small>` : null}${num(stage.backlog)}<small class="unit">in backlog</small></span>
      <${Spark} values=${curve} tone=${toneOf(stage.state)} />
      <span class="node-facts">
        <span><b>${rate(stage.rate)}</b>/s</span>
        <span>oldest <b>${span(stage.oldestMs)}</b></span>
        ${stage.parked > 0 && html`<span>parked <b>${num(stage.parked)}</b></span>`}
        ${stage.backlog > 0 && html`<span>drains in <b>${stage.drainSeconds === null ? "never" : span(stage.drainSeconds * 1_000)}</b></span>`}
        <span><b>${stage.instances.length}</b> ${stage.instances.length === 1 ? "instance" : "instances"}</span>
      </span>
    </a>
    ${
      dead > 0 &&
      html`<a class="node-dead" href=${`#/dead?stage=${encodeURIComponent(stage.name)}`}>${num(dead)} dead</a>`
    }
  </li>`;
}

/** @param {{ session: import("./session.js").Session }} props */
export function FlowPage({ session }) {
  const stages = useLoad("/v1/stages", 2_000);
  const history = useLoad("/v1/stages/history", 15_000);
  const dead = useLoad(may(session, "read") ? "/v1/dead-letters/counts?tenant=*" : null, 10_000);
  useEvents(["stage"], () => stages.reload());
  useEvents(["dead-letters"], () => dead.reload());
  const { data } = stages;
  const troubles = useTroubles(data?.stages ?? [], dead.data);
  if (!data)
    return html`<${Head} title="Flow" /><${ErrorNote} error=${stages.error} retry=${stages.reload} />${!stages.error && html`<${Loading} />`}`;
  const flow = data.stages.filter((/** @type {any} */ s) => !s.beside);
  const beside = data.stages.filter((/** @type {any} */ s) => s.beside);
  const letters = dead.data?.items ?? [];
  const deadIn = (/** @type {string} */ name) =>
    letters
      .filter((/** @type {any} */ l) => l.stage === name)
      .reduce((/** @type {number} */ sum, l) => sum + l.count, 0);
  // Not before all that may need a look is known.
  const isCalm = troubles.length === 0 && (dead.data !== null || !may(session, "read"));
  const backlog = flow.reduce((/** @type {number} */ sum, s) => sum + s.backlog, 0);
  const parked = data.stages.reduce((/** @type {number} */ sum, s) => sum + s.parked, 0);
  const oldest = Math.max(0, ...flow.map((/** @type {any} */ s) => s.oldestMs ?? 0));
  const waiting = Object.keys(data.intake.tenants).length;
  return html`<${Head} title="Flow" sub="Every stage with its mailbox, as it is now.">
      <span class="muted small">${stages.error ? html`last seen ${ago(stages.at)}` : ""}</span>
    <//>
    <${ErrorNote} error=${stages.error} retry=${stages.reload} stale />
    <dl class="stats">
      <${Stat} name="Reach the end" value=${rate(flow.at(-1)?.rate ?? 0)} sub=" leads/s" />
      <${Stat} name="In the mailboxes" value=${num(backlog)} sub=" leads" />
      <${Stat} name="Wait at the intake" value=${num(data.intake.leads)} sub=${waiting > 1 ? ` of ${waiting} tenants` : ""} />
      <${Stat} name="Parked" value=${num(parked)} sub=" wait for a moment" />
      <${Stat} name="Oldest" value=${oldest > 0 ? span(oldest) : "–"} sub="" tone=${oldest > 600_000 ? "warn" : ""} />
      <${Stat} name="Dead letters" value=${dead.data ? num(dead.data.total) : "–"} tone=${dead.data?.total > 0 ? "warn" : ""} sub="" />
    </dl>
    <${Troubles} troubles=${troubles} isCalm=${isCalm} onChanged=${stages.reload} />
    <ol class="flow" aria-label="The stages, in their order">
      <li class=${`node end ${data.intake.leads > 0 ? "moves" : ""}`}>
        <div class="node-card"><strong>intake</strong><span class="node-figure">${num(data.intake.leads)}</span><span class="muted small">${data.intake.oldestMs === null ? "nothing waits" : `oldest ${span(data.intake.oldestMs)}`}</span></div>
      </li>
      ${flow.map((/** @type {any} */ stage) => html`<${StageNode} key=${stage.name} stage=${stage} history=${history.data} dead=${deadIn(stage.name)} />`)}
      <li class="node end last">
        <a class="node-card" href="#/leads?status=completed"><strong>completed</strong><span class="muted small">to the leads</span></a>
      </li>
    </ol>
    ${
      beside.length > 0 &&
      html`<h2 class="beside">Beside the flow</h2>
      <ul class="flow side" aria-label="Stages beside the flow">
        ${beside.map((/** @type {any} */ stage) => html`<${StageNode} key=${stage.name} stage=${stage} history=${history.data} dead=${deadIn(stage.name)} />`)}
      </ul>`
    }`;
}
