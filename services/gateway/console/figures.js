import { query, useLoad } from "./api.js";
import { Chart } from "./chart.js";
import { money, num, share, words } from "./format.js";
import { html } from "./html.js";
import { address } from "./leads.js";
import { may } from "./session.js";
import { Ago, Card, Empty, Head, Loaded, Select, Stat } from "./ui.js";

const dayMs = 86_400_000;
const periods = /** @type {[string, string][]} */ ([
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", "A year"],
]);

/** How far the leads of these days came. @param {{ totals: any }} props */
function Funnel({ totals }) {
  const steps = /** @type {[string, number][]} */ ([
    ["Taken in", totals.takenIn],
    ["Scored", totals.scored],
    ["Mocked up", totals.mockedUp],
    ["Mailed", totals.mailed],
    ...(totals.opened === null ? [] : [["Opened", totals.opened]]),
  ]);
  return html`<ol class="funnel">
    ${steps.map(
      ([name, n]) => html`<li key=${name}>
        <span>${name}</span>
        <div class="funnel-bar" aria-hidden="true"><i style=${{ width: totals.takenIn > 0 ? `${(n / totals.takenIn) * 100}%` : "0" }} /></div>
        <b>${num(n)}</b><span class="muted small">${share(n, totals.takenIn)}</span>
      </li>`,
    )}
  </ol>`;
}

/** @param {{ scores: number[] }} props */
function Scores({ scores }) {
  const most = Math.max(1, ...scores);
  return html`<ol class="scores">
    ${scores.map((n, tens) => {
      const name = tens === 9 ? "90–100" : `${tens * 10}–${tens * 10 + 9}`;
      return html`<li key=${tens}>
        <b>${num(n)}</b><i style=${{ height: `${(n / most) * 84}px` }} aria-hidden="true" /><span class="muted small">${name}</span>
      </li>`;
    })}
  </ol>`;
}

/** @param {{ by: string, items: any[], left: number }} props */
function Rows({ by, items, left }) {
  if (items.length === 0) return html`<${Empty} title="No leads in these days" icon="figures" />`;
  return html`<div class="scroll-x" tabindex="0" role="region" aria-label=${`Table by ${by}`}>
      <table class="table">
        <thead><tr>
          <th>${by}</th><th class="n">Taken in</th><th class="n">Merged</th><th class="n">Mocked up</th><th class="n">Mailed</th>
          <th class="n">Opened</th><th class="n">Bounced</th><th class="n">Unsubscribed</th>
          <th class="n">Cost</th><th class="n">A lead</th><th class="n">A mail</th>
        </tr></thead>
        <tbody>
          ${items.map(
            (item) => html`<tr key=${item.key}>
              <th scope="row">${item.key || "none told"}</th><td class="n">${num(item.takenIn)}</td><td class="n">${num(item.merged)}</td>
              <td class="n">${num(item.mockedUp)}</td><td class="n">${num(item.mailed)}</td><td class="n">${num(item.opened)}</td>
              <td class="n">${num(item.bounced)}</td><td class="n">${num(item.unsubscribed)}</td><td class="n">${money(item.costMicro)}</td>
              <td class="n">${money(item.costPerLeadMicro)}</td><td class="n">${money(item.costPerMailMicro)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${left > 0 && html`<p class="muted small">${num(left)} more, with fewer leads, are left out here and counted above.</p>`}`;
}

/** What became of the leads, and what they cost. @param {{ session: import("./session.js").Session, values: Record<string, string> }} props */
export function FiguresPage({ session, values }) {
  const isPlatform = may(session, "platform");
  const { days = "30", by = "source", tenant = isPlatform ? "*" : "" } = values;
  const from = new Date(Date.now() - (Number(days) - 1) * dayMs).toISOString().slice(0, 10);
  const asked = { from, tenant };
  const daily = useLoad(`/v1/analytics${query(asked)}`, 30_000);
  const rows = useLoad(`/v1/analytics${query({ ...asked, by })}`, 30_000);
  const rules = useLoad(`/v1/analytics/rules${query(asked)}`, 30_000);
  const change = (/** @type {Record<string, string>} */ more) => {
    location.hash = address("figures", { days, by, tenant, ...more });
  };
  return html`<${Head} title="Figures" sub="What became of the leads that were accepted on these days, as they are now.">
      <a class="button" href=${`/v1/analytics${query({ ...asked, by, format: "csv" })}`} download>CSV</a>
    <//>
    <div class="filters">
      <${Select} label="Period" value=${days} options=${periods} onChange=${(/** @type {string} */ value) => change({ days: value })} />
      ${isPlatform && html`<${Select} label="Whose" value=${tenant} options=${[["*", "All tenants"], [session.tenant, session.tenant]]} onChange=${(/** @type {string} */ value) => change({ tenant: value })} />`}
    </div>
    <${Loaded} load=${daily}>
      ${(/** @type {any} */ { totals, items, countedAt, notMeasured }) => {
        const at = items.map((/** @type {any} */ item) => Date.parse(`${item.key}T12:00:00Z`));
        const column = (/** @type {string} */ name) => items.map((/** @type {any} */ item) => item[name]);
        return html`<dl class="stats">
            <${Stat} name="Taken in" value=${num(totals.takenIn)} sub="" />
            <${Stat} name="Merged" value=${num(totals.merged)} sub=${` ${share(totals.merged, totals.takenIn)}`} />
            <${Stat} name="Mailed" value=${num(totals.mailed)} sub=${` ${share(totals.mailed, totals.takenIn)}`} />
            <${Stat} name="Bounced" value=${num(totals.bounced)} sub=${` ${share(totals.bounced, totals.mailed)}`} />
            <${Stat} name="Unsubscribed" value=${num(totals.unsubscribed)} sub=${` ${share(totals.unsubscribed, totals.mailed)}`} />
            <${Stat} name="Cost" value=${money(totals.costMicro)} sub="" />
            <${Stat} name="A lead" value=${money(totals.costPerLeadMicro)} sub="" />
            <${Stat} name="A mail" value=${money(totals.costPerMailMicro)} sub="" />
          </dl>
          <div class="columns">
            <${Card} title="How far they came"><${Funnel} totals=${totals} /><//>
            <${Card} title="Scores" aside=${html`<span class="muted small">${num(totals.scored)} scored</span>`}><${Scores} scores=${totals.scores} /><//>
          </div>
          <${Card} title="Day by day" aside=${html`<span class="muted small">counted <${Ago} at=${countedAt} />${notMeasured.length > 0 ? `, not measured: ${notMeasured.join(", ")}` : ""}</span>`}>
            <div class="charts two">
              <${Chart} title="Leads" at=${at} format=${num} series=${[
                { name: "Taken in", values: column("takenIn"), colour: "--accent" },
                { name: "Mocked up", values: column("mockedUp"), colour: "--warn" },
                { name: "Mailed", values: column("mailed"), colour: "--good" },
              ]} />
              <${Chart} title="Cost" at=${at} least=${10_000} format=${money} series=${[{ name: "Cost", values: column("costMicro"), colour: "--warn" }]} />
            </div>
          <//>`;
      }}
    <//>
    <${Card} title=${`By ${by}`} aside=${html`<${Select} label="A row a" value=${by} options=${["source", "vertical", "zip", ...(isPlatform && tenant === "*" ? ["tenant"] : []), "day"]} onChange=${(/** @type {string} */ value) => change({ by: value })} />`}>
      <${Loaded} load=${rows}>${(/** @type {any} */ { items, left }) => html`<${Rows} by=${by} items=${items} left=${left} />`}<//>
    <//>
    <${Card} title="Scoring rules">
      <${Loaded} load=${rules}>
        ${(/** @type {any} */ { items }) =>
          items.length === 0
            ? html`<${Empty} title="No rule has fired" icon="figures" />`
            : html`<div class="scroll-x" tabindex="0" role="region" aria-label="Table of the rules">
              <table class="table">
                <thead><tr><th>Rule</th><th class="n">Gives</th><th class="n">Leads</th><th class="n">Their mean score</th></tr></thead>
                <tbody>
                  ${items.map(
                    (/** @type {any} */ one) => html`<tr key=${`${one.rule} ${one.points} ${one.multiplier}`}>
                      <th scope="row">${words(one.rule)}</th><td class="n">${one.points === null ? `× ${one.multiplier}` : `${one.points > 0 ? "+" : ""}${one.points}`}</td>
                      <td class="n">${num(one.leads)}</td><td class="n">${one.meanScore.toFixed(1)}</td>
                    </tr>`,
                  )}
                </tbody>
              </table>
            </div>`}
      <//>
    <//>`;
}
