import { useLoad } from "./api.js";
import { clock, money, num } from "./format.js";
import { html } from "./html.js";
import { useEvents } from "./live.js";
import { Card, Empty, Facts, Head, Loaded, Meter, Stat } from "./ui.js";

const tones = { 0: "good", 75: "warn", 90: "bad", 100: "bad" };
const levels = {
  0: "Within the budget.",
  75: "Three quarters are used.",
  90: "Nine tenths are used: what is not essential stops.",
  100: "Used up: nothing that costs goes out.",
};

const atLimit = {
  wait: "waits for the next day or month",
  complete: "ends with that reason",
  without: "goes on without what costs",
};

/** @param {{ name: string, window: any }} props */
const Window = ({ name, window }) =>
  html`<div class="window">
    <div class="window-head"><strong>${name}</strong><span class="muted small">until ${clock(window.until)}</span></div>
    <p class="window-figure">${money(window.spentMicro)} <small>${window.capMicro === null ? "spent, no limit of its own" : `of ${money(window.capMicro)}`}</small></p>
    <${Meter} label=${`${name}: share of the budget`} value=${window.spentMicro + window.reservedMicro} of=${window.capMicro} tone=${tones[window.level]} />
    <p class="small muted">${levels[window.level]}${window.reservedMicro > 0 ? ` ${money(window.reservedMicro)} are held for calls under way.` : ""}</p>
  </div>`;

export function BudgetPage() {
  const load = useLoad("/v1/budget", 10_000);
  useEvents(["budget"], () => load.reload());
  return html`<${Head} title="Budget" sub=${load.data ? `What may be spent, and what was. Day: ${load.data.day} (UTC).` : ""} />
    <${Loaded} load=${load}>
      ${(/** @type {any} */ budget) => {
        const providers = Object.entries(budget.providers);
        return html`<${Card} title="All providers"><div class="windows"><${Window} name="Today" window=${budget.today} /><${Window} name="This month" window=${budget.month} /></div><//>
          <dl class="stats">
            <${Stat} name="Calls today" value=${num(budget.calls)} sub=" free ones too" />
            <${Stat} name="Under way" value=${num(budget.open)} sub="" />
            <${Stat} name="Done again" value=${num(budget.repeats)} sub=" after a crash, or as no answer was kept" />
            <${Stat} name="Fate unknown" value=${num(budget.presumed)} sub=" counted as spent" tone=${budget.presumed > 0 ? "warn" : ""} />
          </dl>
          <${Card} title="By provider">
            ${
              providers.length === 0
                ? html`<${Empty} title="No provider has a price" icon="budget">Give a provider its key and its price, and its calls are counted here.<//>`
                : html`<div class="windows">${providers.map(([name, window]) => html`<${Window} key=${name} name=${name} window=${window} />`)}</div>`
            }
          <//>
          <${Card} title="When it is used up"><${Facts} of=${[["A lead that would cost", atLimit[budget.overBudget]]]} /><//>`;
      }}
    <//>`;
}
