import assert from "node:assert/strict";
import { createServer as createHttp, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { Fetcher, type FetcherOptions } from "../../../services/site/fetch.ts";
import { LookupError } from "../../../services/site/resolve.ts";

/** A server on a free port of this machine; disposing closes it and what is connected. */
async function listen(server: Server) {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => {})));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: (path = "/") => `http://joe.test-site.com:${port}${path}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
const http = (handler: RequestListener) => listen(createHttp(handler));

/** A fetcher for whom this machine is the outside world: loopback is allowed, every other rule holds. */
function fetcher(port: number, options: Partial<FetcherOptions> = {}) {
  const made = new Fetcher({
    userAgent: "LeadFactoryBot/1.0 (+https://mesh.test/bot)",
    resolve: async () => ["127.0.0.1"],
    allowed: (address) => address === "127.0.0.1",
    ports: [port],
    ...options,
  });
  return {
    page: (url: string, ms = 5_000) => made.page(url, AbortSignal.timeout(ms)),
    robots: (origin: string) => made.robots(origin, AbortSignal.timeout(5_000)),
    [Symbol.asyncDispose]: () => made.close(),
  };
}

describe("fetching a page", () => {
  it("says who asks, follows redirects, and inflates", async () => {
    const agents: unknown[] = [];
    await using server = await http((request, response) => {
      agents.push(request.headers["user-agent"]);
      if (request.url === "/") response.writeHead(301, { location: "/home" }).end();
      else response.writeHead(200, { "content-type": "text/html", "content-encoding": "gzip" }).end(gzipSync("<p>hi"));
    });
    await using fetch = fetcher(server.port);
    const page = await fetch.page(server.url());
    assert.equal(page.url, server.url("/home"));
    assert.equal(Buffer.from(page.body).toString(), "<p>hi");
    assert.deepEqual(agents, Array(2).fill("LeadFactoryBot/1.0 (+https://mesh.test/bot)"));
  });

  it("does not connect to an inner address, given literally, by name, or by a redirect", async () => {
    let requests = 0;
    const targets = [
      "http://10.0.0.1/",
      "http://[::ffff:169.254.169.254]/",
      "http://localhost/",
      "http://127.0.0.2/",
      "http://other.com:22/",
    ];
    await using server = await http((request, response) => {
      requests++;
      response.writeHead(302, { location: targets[Number(request.url!.slice(1))]! }).end();
    });
    await using fetch = fetcher(server.port);
    for (const target of targets) await assert.rejects(fetch.page(target), { reason: "blocked_address" }, target);
    assert.equal(requests, 0);
    for (const [n, target] of targets.entries())
      await assert.rejects(fetch.page(server.url(`/${n}`)), { reason: "blocked_address" }, target);
    assert.equal(requests, targets.length);
    await using strict = fetcher(server.port, { allowed: (address) => address === "8.8.8.8" });
    await assert.rejects(strict.page(server.url()), { reason: "blocked_address" });
    assert.equal(requests, targets.length, "a name that resolves to this machine was connected to");
  });

  it("refuses a redirect to another scheme", async () => {
    await using server = await http((_request, response) =>
      response.writeHead(302, { location: "file:///etc/passwd" }).end(),
    );
    await using fetch = fetcher(server.port);
    await assert.rejects(fetch.page(server.url()), { reason: "bad_url" });
  });

  it("gives up after five redirects", async () => {
    let requests = 0;
    await using server = await http((_request, response) =>
      response.writeHead(302, { location: `/${++requests}` }).end(),
    );
    await using fetch = fetcher(server.port);
    await assert.rejects(fetch.page(server.url()), { reason: "redirects" });
    assert.equal(requests, 6);
  });

  it("stops reading a body without end at the cap", async () => {
    let sent = 0;
    await using server = await http((_request, response) => {
      response.writeHead(200, { "content-type": "text/html" });
      const chunk = Buffer.alloc(65_536, "x");
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    await using fetch = fetcher(server.port, { maxBytes: 500_000 });
    await assert.rejects(fetch.page(server.url()), { reason: "too_large" });
    assert.ok(sent < 20_000_000, `${sent} bytes were sent`);
  });

  it("stops inflating at the cap", async () => {
    const bomb = gzipSync(Buffer.alloc(100_000_000));
    await using server = await http((_request, response) =>
      response.writeHead(200, { "content-type": "text/html", "content-encoding": "gzip" }).end(bomb),
    );
    await using fetch = fetcher(server.port);
    const before = process.memoryUsage.rss();
    await assert.rejects(fetch.page(server.url()), { reason: "too_large" });
    assert.ok(process.memoryUsage.rss() - before < 60_000_000);
  });

  it("holds the time over headers and body together, however busily a site drips", async () => {
    await using server = await http((_request, response) => {
      response.writeHead(200, { "content-type": "text/html" });
      const timer = setInterval(() => response.write("x"), 10);
      response.on("close", () => clearInterval(timer));
    });
    await using fetch = fetcher(server.port);
    const start = performance.now();
    await assert.rejects(fetch.page(server.url(), 300), { reason: "timeout" });
    assert.ok(performance.now() - start < 2_000);
  });

  it("tells a silent server, a cut connection, one that is refused, and one that speaks no HTTP", async () => {
    await using silent = await listen(createTcp(() => {}));
    await using cut = await listen(
      createTcp((socket) =>
        socket.once("data", () =>
          socket.end("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 999\r\n\r\nhalf"),
        ),
      ),
    );
    await using rude = await listen(
      createTcp((socket) => socket.once("data", () => socket.end("SSH-2.0-OpenSSH\r\n\r\n"))),
    );
    const gone = await listen(createTcp());
    await gone[Symbol.asyncDispose]();
    const reason = async (server: { port: number; url(): string }, ms?: number) => {
      await using fetch = fetcher(server.port);
      return await fetch.page(server.url(), ms).then(
        () => "ok",
        (error) => error.reason,
      );
    };
    assert.equal(await reason(silent, 200), "timeout");
    assert.equal(await reason(cut), "reset");
    assert.equal(await reason(rude), "bad_response");
    assert.equal(await reason(gone), "refused");
  });

  it("tells a server without TLS where TLS is asked for", async () => {
    await using server = await http((_request, response) => response.end());
    await using fetch = fetcher(server.port);
    await assert.rejects(fetch.page(server.url().replace("http:", "https:")), { reason: "tls" });
  });

  it("tells an unknown name from a name service that is silent", async () => {
    for (const [code, expected] of [
      ["ENOTFOUND", "ENOTFOUND"],
      ["ESERVFAIL", "ESERVFAIL"],
    ] as const) {
      await using fetch = fetcher(80, {
        resolve: async (name) => {
          throw new LookupError(code, name);
        },
      });
      await assert.rejects(fetch.page("http://joe.test-site.com/"), { reason: "dns", code: expected });
    }
  });

  it("reads no PDF, no error page, and no encoding it does not know", async () => {
    await using server = await http(({ url }, response) => {
      if (url === "/pdf") response.writeHead(200, { "content-type": "application/pdf" }).end("%PDF");
      else if (url === "/gone") response.writeHead(410, { "content-type": "text/html" }).end("gone");
      else response.writeHead(200, { "content-type": "text/html", "content-encoding": "zstd-of-our-own" }).end("x");
    });
    await using fetch = fetcher(server.port);
    await assert.rejects(fetch.page(server.url("/pdf")), { reason: "not_html" });
    await assert.rejects(fetch.page(server.url("/gone")), { reason: "http_410", httpStatus: 410 });
    await assert.rejects(fetch.page(server.url("/x")), { reason: "bad_response" });
  });

  it("asks one host at most two things at a time", async () => {
    let now = 0;
    let most = 0;
    await using server = await http((_request, response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        response.writeHead(200, { "content-type": "text/html" }).end("x");
      }, 20);
    });
    await using fetch = fetcher(server.port);
    await Promise.all(Array.from({ length: 12 }, () => fetch.page(server.url())));
    assert.equal(most, 2);
  });

  it("takes a robots.txt that is not there for none, and one whose server fails for a closed door", async () => {
    let status = 200;
    await using server = await http((_request, response) =>
      response.writeHead(status).end("User-agent: *\nDisallow: /"),
    );
    await using fetch = fetcher(server.port);
    const robots = () => fetch.robots(new URL(server.url()).origin);
    assert.match((await robots())!, /Disallow/);
    status = 404;
    assert.equal(await robots(), "");
    status = 503;
    assert.equal(await robots(), null);
  });

  it("asks for the page on the connection that told it that there is no robots.txt", async () => {
    const sockets = new Set<Socket>();
    await using server = await http((request, response) => {
      sockets.add(request.socket);
      if (request.url !== "/robots.txt") response.writeHead(200, { "content-type": "text/html" }).end("x");
      else {
        response.writeHead(404, { "content-length": 4 }).write("no");
        setTimeout(() => response.end("ne"), 10);
      }
    });
    await using fetch = fetcher(server.port);
    assert.equal(await fetch.robots(new URL(server.url()).origin), "");
    await fetch.page(server.url());
    assert.equal(sockets.size, 1);
  });

  it("takes no long way past a body that it does not want", async () => {
    const closed = Promise.withResolvers<void>();
    // It never ends of itself: only the client closes it.
    await using server = await http((_request, response) => {
      response.writeHead(404);
      const more = setInterval(() => response.write("x".repeat(4_096)), 1);
      response.on("close", () => {
        clearInterval(more);
        closed.resolve();
      });
    });
    await using fetch = fetcher(server.port);
    await assert.rejects(fetch.page(server.url()), { reason: "http_404" });
    await closed.promise;
  });
});
