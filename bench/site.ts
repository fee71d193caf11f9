import { playedPage, playedSite } from "../bin/demo/site-page.ts";
import { readPage } from "../services/site/read-page.ts";
import { loadFingerprints } from "../services/site/technologies.ts";
import { atMost, type BenchOptions, figure, type Row } from "./row.ts";

/**
 * What it costs to read a page of 20 kB (decode, extract, fingerprint), the network apart. A thousand sites a second on
 * two cores, all other stages beside it, leave 0.7 ms for it.
 * `node bench/site.ts` prints the rows.
 */
export async function run({ short }: Pick<BenchOptions, "short">): Promise<Row[]> {
  const pages = short ? 50 : 300;
  const rounds = 5;
  const start = performance.now();
  const fingerprints = loadFingerprints();
  const compileMs = performance.now() - start;
  const headers = { "content-type": "text/html; charset=utf-8", server: "Apache/2.2.15 (CentOS)" };
  const bodies = Array.from({ length: pages }, (_, n) => {
    const host = `${n % 2 ? "modern" : "dated"}-business-${n}.example`;
    return {
      url: `http://${host}/`,
      status: 200,
      headers,
      body: Buffer.from(playedPage(playedSite(host, "bench"), host, "bench")),
    };
  });
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const page of bodies) {
      const from = performance.now();
      readPage(page, fingerprints, "US", 0);
      // The first round warms up.
      if (round > 0) times.push(performance.now() - from);
    }
  }
  times.sort((a, b) => a - b);
  return [
    atMost("site", "read a page of 20 kB, median", "ms", times[Math.floor(times.length * 0.5)]!, 0.7),
    // Garbage collection, and whatever else the machine does: shown, not judged.
    figure("site", "read a page of 20 kB, 99th percentile", "ms", times[Math.floor(times.length * 0.99)]!),
    figure("site", "compile the fingerprints, once a process", "ms", compileMs),
  ];
}

if (import.meta.main) console.table(await run({ short: false }));
