import { type Caps, chosen } from "./caps.ts";
import type { Tally, WindowRow } from "./status.sql.ts";
import { levelOf, nextWindow, type Period } from "./windows.ts";

export interface WindowStatus {
  capMicro: number | null;
  spentMicro: number;
  /** Held for calls that are under way. */
  reservedMicro: number;
  /** What is left for what is essential; null where there is no cap. */
  leftMicro: number | null;
  /** 0, 75 (warned), 90 (what is not essential stops) or 100 (nothing that costs goes out), by what is used now. */
  level: number;
  /** When the next window begins, ms since 1970. */
  until: number;
}
export interface BudgetStatus {
  /** UTC, `2026-11-23`. */
  day: string;
  today: WindowStatus;
  month: WindowStatus;
  /** provider -> its day */
  providers: Record<string, WindowStatus>;
  overBudget: Caps["overBudget"];
  /** Of the day's effects, as {@link Tally} has them. */
  calls: number;
  repeats: number;
  presumed: number;
  open: number;
}

/** How a tenant stands. `rows` and `tally` are this tenant's, of this day and its month. */
export function statusOf(
  rows: readonly WindowRow[],
  tally: Tally | undefined,
  choice: unknown,
  defaults: Caps,
  day: string,
): BudgetStatus {
  const caps = chosen(defaults, choice);
  const window = (period: Period, provider: string, capMicro: number | null): WindowStatus => {
    const row = rows.find((r) => r.period === period && r.provider === provider);
    const [spentMicro, reservedMicro] = [row?.spentMicro ?? 0, row?.reservedMicro ?? 0];
    const used = spentMicro + reservedMicro;
    return {
      capMicro,
      spentMicro,
      reservedMicro,
      leftMicro: capMicro === null ? null : Math.max(0, capMicro - used),
      level: capMicro === null ? 0 : levelOf(used, capMicro),
      until: nextWindow(period, day),
    };
  };
  const seen = rows.filter((r) => r.period === "day" && r.provider !== "").map((r) => r.provider);
  const names = [...new Set([...Object.keys(caps.providers), ...seen])].sort();
  return {
    day,
    today: window("day", "", caps.dayMicro),
    month: window("month", "", caps.monthMicro),
    providers: Object.fromEntries(names.map((name) => [name, window("day", name, caps.providers[name] ?? null)])),
    overBudget: caps.overBudget,
    calls: tally?.calls ?? 0,
    repeats: tally?.repeats ?? 0,
    presumed: tally?.presumed ?? 0,
    open: tally?.open ?? 0,
  };
}
