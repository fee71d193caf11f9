import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { rulesFile } from "../../../bin/stack/prometheus.ts";
import { run } from "../../../bin/stack/tools.ts";
import { settingsTable } from "../../../config/settings.ts";
import { metrics } from "../../../mixins/metrics.ts";
import { alertCases } from "../../support/alert-cases.ts";
import { programOr } from "../../support/observe.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const operate = readFileSync(join(root, "docs", "operate.md"), "utf8");

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}
const rules = (parse(readFileSync(rulesFile, "utf8")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const alerts = rules.filter((rule) => rule.alert !== undefined);

describe("the alerts", () => {
  let work: string;
  before(() => {
    work = mkdtempSync(join(tmpdir(), "leadfactory-alerts-"));
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  it("have each a case in which they are silent, fire, and are silent again", () => {
    assert.deepEqual(Object.keys(alertCases).sort(), alerts.map(({ alert }) => alert!).sort());
  });

  for (const { alert, labels, annotations } of alerts) {
    it(`${alert} is silent while all is well, fires, and clears`, async function () {
      this.timeout(60_000);
      const promtool = await programOr(this as never, "prometheus", "promtool");
      const { series, silent, quiet, firing, cleared, labels: own = {}, minutes = 1 } = alertCases[alert!]!;
      const expected = [own].flat().map((each) => ({
        exp_labels: { ...labels, ...each },
        exp_annotations: annotations,
      }));
      const at = (step: number, exp_alerts: object[]) => ({
        eval_time: `${step * minutes}m`,
        alertname: alert,
        exp_alerts,
      });
      const file = join(work, `${alert}.yml`);
      const mesh = (of: Record<string, string>, alert_rule_test: object[]) => ({
        interval: `${minutes}m`,
        input_series: Object.entries(of).map(([name, values]) => ({ series: name, values })),
        alert_rule_test,
      });
      writeFileSync(
        file,
        stringify({
          rule_files: [rulesFile],
          evaluation_interval: `${minutes}m`,
          tests: [
            mesh(series, [at(quiet, []), at(firing, expected), at(cleared, [])]),
            ...(silent ? [mesh(silent, [at(quiet, []), at(firing, []), at(cleared, [])])] : []),
          ],
        }),
      );
      assert.match(await run(promtool, ["test", "rules", file]), /SUCCESS/);
    });
  }

  it("ask only for metrics that there are", () => {
    const known = new Set(metrics.map(({ name }) => name as string));
    for (const { expr, alert, record } of rules) {
      for (const [name] of expr.matchAll(/\bleads_\w+/g))
        assert.ok(known.has(name) || known.has(name.replace(/_bucket$/, "")), `${alert ?? record}: ${name}`);
    }
  });

  it("are explained by names that there are: metrics and settings", () => {
    const known = new Set(metrics.map(({ name }) => name as string));
    for (const [name] of operate.matchAll(/\bleads_\w+/g))
      assert.ok(known.has(name) || known.has(name.replace(/_bucket$/, "")), name);
    const set = new Set(settingsTable().map(({ name }) => name));
    for (const [name] of operate.matchAll(/\bLEADS_[A-Z_]+/g)) assert.ok(set.has(name), name);
  });

  it("name each a section of docs/operate.md that says what it means, where to look and what to do", () => {
    for (const { alert, annotations } of alerts) {
      assert.equal(annotations?.["runbook"], `docs/operate.md#${alert!.toLowerCase()}`);
      const section = operate.split(/^#{2,4} /m).find((text) => text.startsWith(`${alert}\n`));
      assert.ok(section, `${alert} has its section`);
      for (const part of ["**Means**", "**Look**", "**Do**"]) assert.ok(section.includes(part), `${alert}: ${part}`);
    }
  });
});

describe("the configuration of Prometheus and Alertmanager", () => {
  it("is accepted by promtool and amtool, as compose runs them", async function () {
    this.timeout(60_000);
    const promtool = await programOr(this as never, "prometheus", "promtool");
    const amtool = await programOr(this as never, "prometheus-alertmanager", "amtool");
    const folder = join(root, "compose", "prometheus");
    assert.match(await run(promtool, ["check", "config", join(folder, "prometheus.yml")]), /SUCCESS/);
    assert.match(await run(amtool, ["check-config", join(folder, "alertmanager.yml")]), /SUCCESS/);
  });

  it("wakes somebody for what is marked so, and files the rest", async function () {
    this.timeout(60_000);
    const amtool = await programOr(this as never, "prometheus-alertmanager", "amtool");
    const file = join(root, "compose", "prometheus", "alertmanager.yml");
    const route = async (severity: string) =>
      (await run(amtool, ["config", "routes", "test", `--config.file=${file}`, `severity=${severity}`])).split("\n")[0];
    assert.equal(await route("page"), "pager");
    assert.equal(await route("ticket"), "operators");
  });
});
