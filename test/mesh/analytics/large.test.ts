import assert from "node:assert/strict";
import { dayText, mostCurves, mostDays } from "../../../services/analytics/figures.ts";
import { columns } from "../../../services/analytics/measures.ts";
import { startGateway } from "../../support/gateway.ts";
import { startMesh } from "../../support/mesh.ts";
import { testPlace } from "../../support/servers.ts";

/** Figures as long as a number of ours can be. */
const most = Number.MAX_SAFE_INTEGER;

describe("the longest answer of figures", function () {
  this.timeout(60_000);

  it("comes from the process that has them to the one that tells them", async () => {
    await using place = await testPlace();
    await using mesh = await startMesh({ place, services: ["services/analytics/analytics.service.ts"] });
    await using gateway = await startGateway({ place });
    await gateway.broker.waitForServices("analytics", 20_000);
    const knex = mesh.resources.databases.of("acme");
    const to = Date.UTC(2026, 10, 1);
    const from = to - (mostDays - 1) * 86_400_000;
    // A source of 64 characters, each of which takes three bytes.
    await knex.raw(
      `insert into analytics_days (tenant, day, source, vertical, ${columns.join(", ")})
       select 'acme', cast(? as date) + d, repeat('€', 63) || chr(65 + s), '', ${columns.map(() => "?").join(", ")}
       from generate_series(0, ?::int) as d, generate_series(0, ?::int) as s`,
      [dayText(from), ...columns.map(() => most), mostDays - 1, mostCurves],
    );
    const { secret } = await gateway.key("acme", "read");
    const query = `by=source&daily=true&from=${dayText(from)}&to=${dayText(to)}`;
    const answer = await gateway.call(secret, `/v1/analytics?${query}`);
    assert.equal(answer.status, 200);
    const text = await answer.text();
    const { items, left } = JSON.parse(text) as { items: unknown[]; left: number };
    assert.deepEqual([items.length, left], [mostDays * mostCurves, 1]);
    const bytes = Buffer.byteLength(text);
    assert.ok(bytes > 7_000_000 && bytes < 8_000_000, `${bytes} bytes`);
  });
});
