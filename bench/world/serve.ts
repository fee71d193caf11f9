/**
 * The outside world of a bench, as a process of its own: the web sites of `*.example` hosts and PageSpeed Insights, each
 * answer `--delay` milliseconds late. Says `{"sites": URL, "pagespeed": URL}` and stays until its input ends.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { startSites } from "../../bin/demo/sites.ts";
import { measurement } from "../../test/support/providers/pagespeed.ts";

const { values } = parseArgs({ options: { delay: { type: "string", default: "0" } } });
const delayMs = Number(values.delay);
const sites = await startSites({ delayMs });

/** In the documented form; what it refuses is the tests' business (test/support/providers). */
const pagespeed = createServer((request, response) => {
  const url = new URL(request.url!, "http://pagespeed").searchParams.get("url") ?? "";
  const answer = () =>
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(measurement(url)));
  if (delayMs > 0) setTimeout(answer, delayMs);
  else answer();
});
await new Promise<void>((resolve) => pagespeed.listen(0, "127.0.0.1", resolve));
console.log(
  JSON.stringify({ sites: sites.url, pagespeed: `http://127.0.0.1:${(pagespeed.address() as AddressInfo).port}` }),
);
// It ends with whoever started it, in whatever way that one ends.
process.stdin.on("end", () => process.exit(0)).resume();
