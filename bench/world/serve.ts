/**
 * The outside world of a bench, as a process of its own: the web sites of `*.example` hosts and PageSpeed Insights, each
 * answer `--delay` milliseconds late. Says `{"sites": URL, "pagespeed": URL}` and stays until its input ends.
 */
import { parseArgs } from "node:util";
import { measurement } from "../../test/support/providers/pagespeed.ts";
import { frontPages } from "./pages.ts";
import { plainServer, response } from "./plain-server.ts";

const { values } = parseArgs({ options: { delay: { type: "string", default: "0" } } });
const delayMs = Number(values.delay);

const frontPage = frontPages();
const noRobots = response("404 Not Found", "text/plain", "none");
const sites = await plainServer((path, host) => {
  if (path === "/robots.txt") return noRobots;
  const server = host.startsWith("dated-") ? "Apache/2.2.15 (CentOS)" : "nginx";
  return response("200 OK", "text/html; charset=utf-8", frontPage(host), `Server: ${server}\r\n`);
}, delayMs);

/** In the documented form, of any address; what it refuses is the tests' business (test/support/providers). */
const measured = JSON.stringify(measurement("http://measured.example/")).split("http://measured.example/");
const pagespeed = await plainServer((path) => {
  const url = new URLSearchParams(path.slice(path.indexOf("?"))).get("url") ?? "";
  return response("200 OK", "application/json", measured.join(JSON.stringify(url).slice(1, -1)));
}, delayMs);

console.log(JSON.stringify({ sites, pagespeed }));
// It ends with whoever started it, in whatever way that one ends.
process.stdin.on("end", () => process.exit(0)).resume();
