import { query, useLoad } from "./api.js";
import { html } from "./html.js";
import { Card, Empty, Head, Loaded } from "./ui.js";

/** What docs/operate.md says is to be done: in a line where something is the matter, and whole on a page of its own. */

/** What is put into the commands: the stage, an instance's node, a dead letter. @typedef {{ stage?: string, node?: string, letter?: string }} Meant */

/** The runbook's sections. They change with a release of the gateway alone. */
export const useRunbook = () => useLoad("/v1/runbook");

/** @param {string | undefined} section @param {Meant} meant */
export const runbookPlace = (section, meant) => `#/runbook/${section}${query(meant)}`;

/** Markdown's code and links; a link leads to another section, or is mere text. @param {string} text @param {Meant} meant */
export const marked = (text, meant) =>
  text.split(/(`[^`]+`|\[[^\]]+\]\([^)]+\))/).map((part) => {
    if (part.startsWith("`")) return html`<code>${part.slice(1, -1)}</code>`;
    const [, name, target] = /^\[([^\]]+)\]\(([^)]+)\)$/.exec(part) ?? [];
    if (name === undefined) return part;
    return target?.startsWith("#") ? html`<a href=${runbookPlace(name, meant)}>${name}</a>` : name;
  });

/** A command of the runbook, about what is the matter and not about its example. @param {string} command @param {Meant} meant */
function filled(command, { stage, node, letter }) {
  let text = command;
  if (stage) text = text.replace(/(stage="|\bstage |\bleads-)(?!--)[a-z][a-z0-9]*/g, `$1${stage}`);
  if (node) text = text.replaceAll("NODE", node);
  return letter ? text.replaceAll("LETTER", letter) : text;
}

const kinds = {
  repl: "At the prompt (npm run repl)",
  sql: 'In the database (psql "$LEADS_DATABASE_URL")',
  promql: "Of Prometheus",
  sh: "In a shell",
};

/** @param {{ id: string, values: Meant }} props */
export function RunbookPage({ id, values: meant }) {
  const load = useRunbook();
  const back = { back: "#/flow", backName: "Flow" };
  return html`<${Head} title=${id} sub="As docs/operate.md has it." ...${back}>
      ${meant.stage && html`<a class="button" href=${`#/stages/${meant.stage}`}>Stage ${meant.stage}</a>`}
    <//>
    <${Loaded} load=${load}>
      ${(/** @type {any} */ { sections }) => {
        const section = sections.find((/** @type {any} */ one) => one.name === id);
        if (!section) return html`<${Empty} title="The runbook has no such section" />`;
        return html`<${Card} title="What it means"><p>${marked(section.means, meant)}</p><//>
          <${Card} title="Where to look"><p>${marked(section.look, meant)}</p><//>
          <${Card} title="What to do"><p>${marked(section.do, meant)}</p><//>
          ${
            section.commands.length > 0 &&
            html`<${Card} title="Commands">
              ${section.commands.map(
                (/** @type {any} */ { kind, text }, /** @type {number} */ n) =>
                  html`<h3 class="small muted after" key=${n}>${kinds[kind] ?? kind}</h3><pre class="json" tabindex="0">${filled(text, meant)}</pre>`,
              )}
            <//>`
          }`;
      }}
    <//>`;
}
