/**
 * Leads at a constant arrival rate, however long the answers take (k6's open model). Run by `npm run bench -- latency`
 * where there is a k6 on the PATH; by hand: `k6 run -e URL=… -e KEY=… -e LEADS=leads.json -e RATE=100 -e SECONDS=60 leads.ts`.
 */
import { SharedArray } from "k6/data";
import exec from "k6/execution";
import http from "k6/http";
import type { Options } from "k6/options";

/** Leads a minute. */
const rate = Number(__ENV["RATE"]);
const seconds = Number(__ENV["SECONDS"]);
const url = `${__ENV["URL"]}/v1/leads`;
const headers = { "Content-Type": "application/json", Authorization: `Bearer ${__ENV["KEY"]}` };
/** One JSON text a lead, kept once for all virtual users. */
const leads = new SharedArray<string>("leads", () => JSON.parse(open(__ENV["LEADS"]!)));

export const options: Options = {
  scenarios: {
    leads: {
      executor: "constant-arrival-rate",
      rate,
      timeUnit: "1m",
      duration: `${seconds}s`,
      // A virtual user an answer under way: at the rate of a second if each took a second.
      preAllocatedVUs: Math.max(10, Math.ceil(rate / 60)),
      maxVUs: Math.max(100, Math.ceil(rate / 15)),
    },
  },
  discardResponseBodies: true,
};

export default function (): void {
  const place = exec.scenario.iterationInTest % leads.length;
  // Stands beside the request in the JSON output; a tag of so many values would be a time series each.
  exec.vu.metrics.metadata["lead"] = String(place);
  http.post(url, leads[place]!, {
    headers,
    responseType: "none",
    timeout: "10s",
  });
}
