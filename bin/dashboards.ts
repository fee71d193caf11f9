/** `npm run dashboards`: writes the dashboards (bin/dashboards/boards.ts) as Grafana loads them, into compose/grafana/. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dashboardOf } from "./dashboards/board.ts";
import { boards } from "./dashboards/boards.ts";

const folder = join(import.meta.dirname, "..", "compose", "grafana", "dashboards");

/** File -> what it is to hold. */
export function dashboardFiles(): Map<string, string> {
  return new Map(
    boards.map((board) => [join(folder, `${board.uid}.json`), `${JSON.stringify(dashboardOf(board), null, 2)}\n`]),
  );
}

if (import.meta.main) {
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of dashboardFiles()) writeFileSync(file, text);
}
