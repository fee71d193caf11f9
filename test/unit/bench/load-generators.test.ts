import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { autocannonLoad } from "../../../bench/latency/autocannon.ts";
import { resultOf } from "../../../bench/latency/k6.ts";

const point = (value: number, status: string, metadata?: object, metric = "http_req_duration") =>
  JSON.stringify({ type: "Point", metric, data: { value, tags: { status }, metadata } });

describe("what a load generator tells of its requests", () => {
  it("is which bodies were answered 202, by autocannon", async () => {
    const answered: string[] = [];
    const server = createServer(async (request, response) => {
      const body = await text(request);
      const status = Number(body) % 3 === 0 ? 503 : 202;
      // Later ones overtake those before.
      setTimeout(() => {
        if (status === 202) answered.push(body);
        response.writeHead(status).end("{}");
      }, Number(body) % 5);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    try {
      const { port } = server.address() as AddressInfo;
      const bodies = Array.from({ length: 1_000 }, (_, n) => String(n));
      const result = await autocannonLoad.send({
        ...{ url: `http://127.0.0.1:${port}`, key: "none", perMinute: 3_000, seconds: 1, bodies },
      });
      assert.ok(result.accepted.length > 10, `${result.accepted.length} were answered 202`);
      assert.equal(new Set(result.accepted).size, result.accepted.length);
      const unasked = result.accepted.filter((place) => !answered.includes(bodies[place]!));
      assert.deepEqual(unasked, []);
      assert.ok(result.sent > result.accepted.length, "those that were answered otherwise are sent, too");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it("is which bodies were answered 202, in the JSON that k6 writes", async () => {
    const lines = [
      JSON.stringify({ type: "Metric", metric: "http_req_duration", data: {} }),
      point(7, "202", { lead: "4" }),
      point(5, "503", { lead: "1" }),
      point(1, "202", { lead: "9" }, "http_req_waiting"),
      point(6, "202", { lead: "0" }),
    ];
    assert.deepEqual(await resultOf(lines), { sent: 3, accepted: [4, 0], times: [5, 6, 7] });
  });

  it("is refused where k6 does not say which lead a request was", async () => {
    await assert.rejects(resultOf([point(7, "202")]), /does not say which lead/);
  });
});
