import { onPath } from "../../bin/stack/tools.ts";
import { autocannonLoad } from "./autocannon.ts";
import { k6Load } from "./k6.ts";

/** Leads that are to be sent, each at its moment, whatever became of those before. */
export interface LoadOrder {
  url: string;
  /** The API key. */
  key: string;
  perMinute: number;
  seconds: number;
  /** JSON texts, one a lead, as many as it takes; should they not do, they are sent again from the first. */
  bodies: readonly string[];
}

/** What came back. */
export interface LoadResult {
  sent: number;
  /** Which of the bodies were answered 202, by their places. */
  accepted: number[];
  /** Milliseconds of the answers, ascending. */
  times: number[];
}

export interface LoadGenerator {
  name: "k6" | "autocannon";
  send(order: LoadOrder): Promise<LoadResult>;
  /** What it sends where so many leads a minute are asked for. */
  rateOf(perMinute: number): number;
}

/** k6 where there is one; else autocannon at the same rates. */
export function loadGenerator(): LoadGenerator {
  const k6 = onPath("k6");
  return k6 === undefined ? autocannonLoad : k6Load(k6);
}
