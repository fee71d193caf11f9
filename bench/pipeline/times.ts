import { figure, type Row } from "../row.ts";
import { percentile } from "./percentile.ts";

/** Average and percentiles of ascending times, ms. */
export interface Times {
  average: number;
  p50: number;
  p95: number;
  p99: number;
}

export function timesOf(ascending: readonly number[]): Times {
  const at = (share: number) => percentile(ascending, share);
  const average = ascending.reduce((sum, ms) => sum + ms, 0) / ascending.length;
  return { average, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

export function timeRows(bench: string, what: string, times: Times): Row[] {
  return Object.entries(times).map(([name, ms]) => figure(bench, `${what}, ${name}`, "ms", ms));
}
