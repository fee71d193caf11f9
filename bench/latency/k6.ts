import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { childEnvironment } from "../../bin/stack/tools.ts";
import type { LoadGenerator, LoadOrder, LoadResult } from "./load.ts";

const script = join(import.meta.dirname, "../k6/leads.ts");

/** One line of k6's JSON output (https://grafana.com/docs/k6/latest/results-output/real-time/json/). */
interface Point {
  type: "Metric" | "Point";
  metric: string;
  /** `metadata`: what the script says of the request. */
  data: { value: number; tags?: { status?: string }; metadata?: { lead?: string } };
}

/** Sends by k6: the script bench/k6/leads.ts, whose every request is read back from its output. */
export function k6Load(k6: string): LoadGenerator {
  return { name: "k6", rateOf: (perMinute) => perMinute, send: (order) => send(k6, order) };
}

async function send(k6: string, { url, key, perMinute, seconds, bodies }: LoadOrder): Promise<LoadResult> {
  const dir = mkdtempSync(join(tmpdir(), "leadfactory-k6-"));
  const [leads, output] = [join(dir, "leads.json"), join(dir, "points.json")];
  try {
    writeFileSync(leads, JSON.stringify(bodies));
    const child = spawn(
      k6,
      ["run", "--quiet", "--summary-mode", "disabled", "--no-usage-report", "--out", `json=${output}`, script],
      {
        env: { ...childEnvironment(), URL: url, KEY: key, LEADS: leads, RATE: `${perMinute}`, SECONDS: `${seconds}` },
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    // It has a line for each request that fails: those are counted. Its last words are told where it fails itself.
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (part: string) => (said = (said + part).slice(-2_000)));
    const [code] = await once(child, "close");
    if (code !== 0) throw new Error(`k6 ended with ${code}: ${said}`);
    return await resultOf(createInterface({ input: createReadStream(output) }));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What the lines of k6's JSON output tell. Throws where a request does not say which lead it was. */
export async function resultOf(lines: AsyncIterable<string> | Iterable<string>): Promise<LoadResult> {
  const result: LoadResult = { sent: 0, accepted: [], times: [] };
  for await (const line of lines) {
    const { type, metric, data } = JSON.parse(line) as Point;
    if (type !== "Point" || metric !== "http_req_duration") continue;
    if (data.metadata?.lead === undefined) throw new Error(`k6 does not say which lead a request was: ${line}`);
    result.sent++;
    result.times.push(data.value);
    if (data.tags?.status === "202") result.accepted.push(Number(data.metadata.lead));
  }
  result.times.sort((a, b) => a - b);
  return result;
}
