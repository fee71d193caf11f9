import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { playedPage, playedSite } from "./site-page.ts";

/**
 * A local server that plays the web sites of all hosts under `.example`, by the Host header. The first word of the
 * host's name says what it is; the rest, and the seed, what stands on it.
 */
export const siteKinds = {
  modern: "a page of today",
  dated: "a page of the nineties: tables, font tags, old WordPress and jQuery, no viewport",
  latin: "a dated page in ISO-8859-1, said in the header",
  cp1252: "a dated page in windows-1252, said in a meta tag",
  utf16: "a modern page in UTF-16 with a byte order mark",
  gzip: "a modern page, compressed",
  broken: "HTML with nothing closed",
  empty: "an empty page",
  moved: "three redirects, then a modern page",
  robots: "a robots.txt that disallows everything",
  slow: "answers after two seconds",
  missing: "404",
  failing: "500",
  down: "cuts the connection",
  loop: "redirects without end",
  inner: "redirects to a private address",
  endless: "a body without end",
  bomb: "a small gzip body that inflates to 64 MB",
  drip: "a byte every 50 ms, for ever",
  pdf: "a PDF",
} as const;
export type SiteKind = keyof typeof siteKinds;

export interface Sites extends AsyncDisposable {
  url: string;
  /** Requests served so far, by host. */
  readonly requests: ReadonlyMap<string, number>;
  /** Requests that are being answered. */
  readonly open: number;
  /** How late each answer comes, ms. */
  delayMs: number;
  close(): Promise<void>;
}

/** Accented letters that differ between the old character sets and UTF-8. */
export const accentedName = "Café Müller";

let bomb: Buffer | undefined;

/** Starts it. Each request is answered `delayMs` late. */
export async function startSites({ port = 0, seed = "sites", pageBytes = 20_000, delayMs = 0 } = {}): Promise<Sites> {
  const requests = new Map<string, number>();
  const pages = new Map<string, Buffer>();
  let open = 0;
  const server = createServer((request, response) => {
    const host = (request.headers.host ?? "").toLowerCase().replace(/:\d+$/, "");
    requests.set(host, (requests.get(host) ?? 0) + 1);
    response.on("error", () => {});
    open++;
    response.once("close", () => open--);
    if (sites.delayMs > 0) setTimeout(() => play(request, response, host), sites.delayMs);
    else play(request, response, host);
  });

  function page(host: string): Buffer {
    let made = pages.get(host);
    if (!made) {
      made = Buffer.from(playedPage(playedSite(host, seed), host, seed, pageBytes));
      // So that a measurement measures its reader; bounded, since hosts are without number.
      if (pages.size < 5_000) pages.set(host, made);
    }
    return made;
  }

  function play(request: IncomingMessage, response: ServerResponse, host: string): unknown {
    const kind = kindOf(host);
    const path = request.url ?? "/";
    if (path === "/robots.txt") {
      if (kind === "robots") return send(response, 200, "text/plain", Buffer.from("User-agent: *\nDisallow: /\n"));
      if (kind !== "down") return send(response, 404, "text/plain", Buffer.from("none"));
    }
    const html = (body: Buffer, headers = {}, type = "text/html; charset=utf-8") =>
      send(response, 200, type, body, headers);
    switch (kind) {
      case "latin":
        return html(accented(page(host), "latin1"), {}, "text/html; charset=ISO-8859-1");
      case "cp1252":
        return html(
          accented(page(host), "latin1", `<meta http-equiv="Content-Type" content="text/html; charset=windows-1252">`),
          {},
          "text/html",
        );
      case "utf16":
        return html(Buffer.concat([Buffer.from([0xff, 0xfe]), accented(page(host), "utf16le")]), {}, "text/html");
      case "gzip":
        return html(gzipSync(page(host)), { "content-encoding": "gzip" });
      case "broken":
        return html(
          Buffer.from(
            page(host)
              .toString()
              .replace(/<\/(?:p|td|tr|table|div|section|body|html)>/g, "")
              .replace(/">/g, ">"),
          ),
        );
      case "empty":
        return html(Buffer.alloc(0));
      case "moved": {
        const hop = Number(/^\/hop(\d)/.exec(path)?.[1] ?? 0);
        return hop < 3 ? redirect(response, `/hop${hop + 1}`) : html(page(host));
      }
      case "slow":
        return setTimeout(() => html(page(host)), 2_000).unref();
      case "missing":
        return send(response, 404, "text/html", Buffer.from("<h1>Not found</h1>"));
      case "failing":
        return send(response, 500, "text/html", Buffer.from("<h1>Internal error</h1>"));
      case "down":
        return request.socket.destroy();
      case "loop":
        return redirect(response, `/again?${path.length}`);
      case "inner":
        return redirect(response, "http://169.254.169.254/latest/meta-data/");
      case "endless":
        return endless(response);
      case "bomb":
        bomb ??= gzipSync(Buffer.alloc(64 * 1024 * 1024, "<p>"));
        return html(bomb, { "content-encoding": "gzip" });
      case "drip":
        return drip(response);
      case "pdf":
        return send(response, 200, "application/pdf", Buffer.from("%PDF-1.4"));
      default:
        return html(page(host), { server: kind === "dated" ? "Apache/2.2.15 (CentOS)" : "nginx" });
    }
  }

  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const sites: Sites = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get open() {
      return open;
    },
    delayMs,
    close,
    [Symbol.asyncDispose]: close,
  };
  return sites;
}

/** What a host plays, by the first word of its name; any other word is a site modern or dated by chance. */
export function kindOf(host: string): SiteKind | undefined {
  const word = host.split(/[-.]/)[0]!;
  return word in siteKinds ? (word as SiteKind) : undefined;
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: Buffer,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": type, "content-length": body.length, ...headers }).end(body);
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location, "content-length": 0 }).end();
}

function accented(page: Buffer, encoding: BufferEncoding, head = ""): Buffer {
  const text = page
    .toString()
    .replace(/<meta charset="utf-8">/, "")
    .replace(/<title>[^<]*/, `${head}<title>${accentedName}`);
  return Buffer.from(text, encoding);
}

function endless(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/html" });
  const chunk = "<p>and on and on</p>".repeat(3_000);
  const more = () => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
}

function drip(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/html" });
  const timer = setInterval(() => response.write("x"), 50);
  response.on("close", () => clearInterval(timer));
}
