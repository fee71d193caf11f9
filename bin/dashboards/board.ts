import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** One curve, or a family of them. */
export interface Query {
  expr: string;
  /** Grafana's `{{label}}` form. */
  legend: string;
}

export interface Panel {
  title: string;
  /** What it says, and what to think of it. */
  text: string;
  /** https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/#unit */
  unit: "short" | "s" | "bytes" | "percentunit" | "reqps" | "currencyUSD" | "ops";
  queries: readonly Query[];
}

export interface Board {
  /** Names its file, and stands in its address. */
  uid: string;
  title: string;
  text: string;
  /** It is about one stage, chosen at its head. */
  ofStage?: true;
  rows: readonly { title: string; panels: readonly Panel[] }[];
}

const datasource = { type: "prometheus", uid: "prometheus" };

/** The board as Grafana loads it. */
export function dashboardOf({ uid, title, text, ofStage, rows }: Board): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(text)
    .tags(["leads"])
    .refresh("10s")
    .time({ from: "now-1h", to: "now" })
    .timezone("browser")
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly();
  if (ofStage)
    builder.withVariable(
      new QueryVariableBuilder("stage")
        .label("Stage")
        .datasource(datasource)
        .query("label_values(leads_instances, stage)")
        .refresh(VariableRefresh.OnTimeRangeChanged),
    );
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(panelOf(panel));
  }
  return builder.build();
}

function panelOf({ title, text, unit, queries }: Panel): PanelBuilder {
  const panel = new PanelBuilder()
    .title(title)
    .description(text)
    .datasource(datasource)
    .unit(unit)
    .min(0)
    .lineWidth(2)
    .fillOpacity(8)
    .height(8)
    .span(8);
  for (const [n, { expr, legend }] of queries.entries()) {
    const query = new DataqueryBuilder()
      .refId(String.fromCharCode(65 + n))
      .expr(expr)
      .legendFormat(legend)
      .range();
    panel.withTarget(query);
  }
  return panel;
}
