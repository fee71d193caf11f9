import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { chunksOf, readBody } from "../../mixins/http/body.ts";
import { eventually } from "../support/eventually.ts";
import { postLead, startGateway } from "../support/gateway.ts";

const row = (n: number) => `${JSON.stringify({ name: `Bakery ${n}`, city: "Chicago", sourceId: String(n) })}\n`;

describe("the edge's server", () => {
  it("finishes what it has in hand when it leaves, and takes nothing new", async () => {
    await using gateway = await startGateway({ env: { LEADS_DRAIN_MS: "5000" } });
    const { secret } = await gateway.key("acme", "ingest");
    const { url } = gateway;
    const body = JSON.stringify({ name: "Corner Bakery", city: "Chicago" });
    const req = request(`${url}/v1/leads`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", "content-length": body.length },
    });
    req.write(body.slice(0, 10));
    const server = (gateway.broker.getLocalService("gateway") as any).server;
    await eventually(
      "the request is in hand",
      async () => (await new Promise((ok) => server.getConnections((_: unknown, n: number) => ok(n)))) === 1,
    );
    const stopping = gateway.stop();
    await eventually("nothing new is taken", () =>
      fetch(`${url}/healthz`).then(
        () => false,
        () => true,
      ),
    );
    req.end(body.slice(10));
    const [res] = await once(req, "response");
    assert.equal(res.statusCode, 202);
    assert.equal(res.headers.connection, "close");
    res.resume();
    await stopping;
  });

  it("ends an upload with the counts so far when it leaves before the upload does", async () => {
    await using gateway = await startGateway({ env: { LEADS_DRAIN_MS: "1000" } });
    const { secret } = await gateway.key("acme", "ingest");
    const req = request(`${gateway.url}/v1/leads/bulk`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/x-ndjson" },
    });
    req.on("error", () => {});
    let n = 0;
    const more = setInterval(() => req.write(row(++n)), 10);
    try {
      const answered = once(req, "response");
      await eventually("rows are on their way", () => n > 20);
      const stopping = gateway.stop();
      const [res] = await answered;
      const problem = JSON.parse(await text(res));
      assert.equal(res.statusCode, 503);
      assert.equal(res.headers["retry-after"], "1");
      assert.ok(problem.rows > 20 && problem.accepted === problem.rows, JSON.stringify(problem));
      await stopping;
    } finally {
      clearInterval(more);
      req.destroy();
    }
  });

  it("does not wait for a client that says nothing, longer than its deadline", async () => {
    await using gateway = await startGateway({ env: { LEADS_DRAIN_MS: "600" } });
    const { secret } = await gateway.key("acme", "ingest");
    const req = request(`${gateway.url}/v1/leads/bulk`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/x-ndjson" },
    });
    req.on("error", () => {});
    req.write(row(1));
    await postLead(gateway, secret, { name: "Corner Bakery", city: "Chicago" });
    const began = performance.now();
    await gateway.stop();
    assert.ok(performance.now() - began < 5_000, `it left after ${performance.now() - began} ms`);
  });

  it("refuses to start on a port that is taken, and says so", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    try {
      const { port } = other.address() as AddressInfo;
      await assert.rejects(startGateway({ env: { LEADS_HTTP_PORT: String(port) } }), /EADDRINUSE/);
    } finally {
      other.close();
    }
  });

  it("cuts off a client that sends its headers drop by drop", async function () {
    this.timeout(30_000);
    await using gateway = await startGateway();
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\n");
    const drip = setInterval(() => socket.write("x: y\r\n"), 500);
    try {
      assert.match(await text(socket), /^HTTP\/1\.1 408 /);
    } finally {
      clearInterval(drip);
      socket.destroy();
    }
  });
});

describe("a body", () => {
  /** A server that reads a body with `read` and tells how that ended. */
  async function ends(
    read: (req: any) => Promise<unknown>,
    send: (req: ReturnType<typeof request>) => void,
  ): Promise<string> {
    const server = createServer((req, res) => {
      read(req).then(
        () => res.end("whole"),
        (error) => res.end(error.type),
      );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const req = request({ port: (server.address() as AddressInfo).port, method: "POST" });
    req.on("error", () => {});
    try {
      const answered = once(req, "response");
      send(req);
      const [res] = await answered;
      return await text(res);
    } finally {
      req.destroy();
      server.close();
      server.closeAllConnections();
    }
  }
  const all = async (chunks: AsyncIterable<unknown>) => {
    for await (const _ of chunks);
  };

  it("that falls silent is given up", async () => {
    assert.equal(
      await ends(
        (req) => all(chunksOf(req, 50)),
        (req) => req.write("x"),
      ),
      "SLOW_REQUEST",
    );
  });
  it("that comes drop by drop is given up when its time is over", async () => {
    const drip = setInterval(() => drops?.write("x"), 20);
    let drops: ReturnType<typeof request> | undefined;
    try {
      assert.equal(
        await ends(
          (req) => readBody(req, 1_000, 200),
          (req) => {
            drops = req;
            req.write("x");
          },
        ),
        "SLOW_REQUEST",
      );
    } finally {
      clearInterval(drip);
    }
  });
  it("may wait for its reader as long as it likes", async () => {
    const slowly = async (req: any) => {
      for await (const _ of chunksOf(req, 100)) await new Promise((ok) => setTimeout(ok, 150));
    };
    assert.equal(
      await ends(slowly, (req) => void Readable.from([Buffer.alloc(200_000), Buffer.alloc(200_000)]).pipe(req)),
      "whole",
    );
  });
});
