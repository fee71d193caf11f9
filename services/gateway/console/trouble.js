import { query, useLoad } from "./api.js";
import { clock, count, num, span } from "./format.js";
import { html } from "./html.js";
import { marked, runbookPlace, useRunbook } from "./runbook.js";
import { PauseButton } from "./stage.js";
import { toneOf } from "./ui.js";

/** What an operator should see to: what it is, where, since when, why, and what to do. */

const titles = {
  paused: "is paused",
  slow: "is too slow",
  outage: "waits for an outage to end",
  silent: "receives nothing",
  draining: "is leaving",
  absent: "has no instance",
};

/** @param {any} stage */
function troubleOf(stage) {
  const waiting = stage.backlog > 0 && `${stage.about ? "about " : ""}${count(stage.backlog, "lead")} in its mailbox`;
  // Why it is slow has the age of the oldest.
  const oldest =
    waiting && stage.oldestMs !== null && stage.state !== "slow" && `, the oldest for ${span(stage.oldestMs)}`;
  return {
    key: stage.name,
    tone: toneOf(stage.state),
    title: `${stage.name} ${stage.runbook === "PoolUsedUp" ? "waits for a database connection" : (titles[stage.state] ?? stage.state)}`,
    since: stage.since,
    why: [stage.why, stage.by && `by ${stage.by}`, waiting && `${waiting}${oldest || ""}`].filter(Boolean).join(" · "),
    href: `#/stages/${stage.name}`,
    runbook: stage.runbook,
    meant: { stage: stage.name, ...(stage.instances.length > 0 && { node: stage.instances[0].node }) },
    stage,
  };
}

/** @param {any} dead Counts of dead letters, with the oldest. @param {any} error What the oldest died of. */
function deathOf({ total, oldest, items }, error) {
  const stages = new Set(items.map((/** @type {any} */ item) => item.stage));
  const [most] = items;
  const words = error?.message ? `${error.type}: ${error.message}` : oldest.errorType;
  const isOne = items.length === 1;
  return {
    key: "dead",
    tone: "warn",
    title: `${count(total, "dead letter")} in ${stages.size === 1 ? most.stage : `${stages.size} stages`}`,
    since: oldest.diedAt,
    why: [
      isOne ? words : `most in ${most.stage}: ${most.error} (${num(most.count)})`,
      !isOne && `the oldest in ${oldest.stage}: ${words}`,
      total === 1 ? "no other lead waits for it" : "no other lead waits for them",
    ]
      .filter(Boolean)
      .join(" · "),
    href: total === 1 ? `#/dead/${oldest.id}${query({ tenant: oldest.tenant ?? "*" })}` : "#/dead",
    runbook: "DeadLettersWaiting",
    meant: { stage: oldest.stage, letter: oldest.id },
  };
}

/** All of it, worst first. @param {any[]} stages @param {any} dead null: not known. */
export function useTroubles(stages, dead) {
  const oldest = dead?.oldest;
  const letter = useLoad(oldest ? `/v1/dead-letters/${oldest.id}${query({ tenant: oldest.tenant ?? "*" })}` : null);
  const said = stages
    .filter((stage) => stage.state !== "working")
    // A stage beside the flow that nobody needs is no trouble.
    .filter((stage) => stage.state !== "absent" || stage.backlog > 0 || !stage.beside)
    .map(troubleOf);
  const died = oldest ? [deathOf(dead, letter.data?.error)] : [];
  const order = ["bad", "warn", "info"];
  return [...said, ...died].sort((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone));
}

/** @param {{ trouble: any, section: any, onChanged: () => void }} props */
const Trouble = ({ trouble, section, onChanged }) =>
  html`<li class=${`trouble ${trouble.tone}`}>
    <div>
      <strong>${trouble.title}</strong>${trouble.since && html`<span class="muted"> since ${clock(trouble.since)}, for ${span(Math.max(0, Date.now() - trouble.since))}</span>`}
      <p>${trouble.why}</p>
      ${
        trouble.runbook &&
        html`<p class="todo"><b>Do:</b> ${section && marked(section.do, trouble.meant)} <a href=${runbookPlace(trouble.runbook, trouble.meant)}>Runbook<span class="sr-only"> on ${trouble.runbook}</span></a></p>`
      }
    </div>
    <div class="trouble-acts">
      ${trouble.stage?.state === "paused" && html`<${PauseButton} stage=${trouble.stage} onChanged=${onChanged} />`}
      <a class="button" href=${trouble.href}>Look<span class="sr-only"> at ${trouble.title}</span></a>
    </div>
  </li>`;

/** @param {{ troubles: any[], isCalm: boolean, onChanged: () => void }} props */
export function Troubles({ troubles, isCalm, onChanged }) {
  const { data } = useRunbook();
  const sectionOf = (/** @type {string} */ name) => data?.sections.find((/** @type {any} */ one) => one.name === name);
  return html`<section class=${`troubles ${isCalm ? "calm" : ""}`} aria-label="What needs a look">
    <p class="sr-only" role="status">${troubles.map(({ title }) => title).join(". ")}</p>
    ${
      isCalm
        ? html`<p><i /> Every stage works, and nothing waits for you.</p>`
        : troubles.length > 0 &&
          html`<ul>${troubles.map((trouble) => html`<${Trouble} key=${trouble.key + trouble.title} trouble=${trouble} section=${sectionOf(trouble.runbook)} onChanged=${onChanged} />`)}</ul>`
    }
  </section>`;
}
