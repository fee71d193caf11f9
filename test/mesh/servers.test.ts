import assert from "node:assert/strict";
import { openDatabase } from "../../mixins/knex.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { ownNats, servers, testPlace } from "../support/servers.ts";

describe("the servers of a test run", () => {
  it("are started once, however many ask", async () => {
    const [a, b] = await Promise.all([servers(), servers()]);
    assert.equal(a, b);
  });

  it("give each place a migrated database and streams of its own, and take them away again", async () => {
    const { databaseUrl: adminUrl } = await servers();
    let databaseUrl: string;
    {
      await using one = await testPlace();
      await using two = await testPlace({ LEADS_RATE_LIMIT: "7" });
      assert.notEqual(one.names.prefix, two.names.prefix);
      assert.equal(two.settings.rateLimit, 7);
      databaseUrl = one.settings.databaseUrl;
      const knex = openDatabase(one.settings);
      try {
        const { rows } = await knex.raw("select count(*)::int as shards from shards");
        assert.deepEqual(rows, [{ shards: 64 }]);
      } finally {
        await knex.destroy();
      }
    }
    const admin = openDatabase({ databaseUrl: adminUrl, databasePool: 1, statementTimeoutMs: 5_000 });
    try {
      const name = new URL(databaseUrl).pathname.slice(1);
      const { rows } = await admin.raw("select 1 from pg_database where datname = ?", [name]);
      assert.deepEqual(rows, [], "the database of a disposed place is dropped");
    } finally {
      await admin.destroy();
    }
  });

  it("come back on the same port with what they had stored after a SIGKILL", async () => {
    await using server = await ownNats();
    const { url } = server;
    await using place = await testPlace({ LEADS_NATS_URL: url });
    await using mesh = await startMesh({ services: [], place });
    const jsm = await mesh.nats.jetstreamManager();
    await jsm.streams.add({ name: `${place.names.prefix}-x`, subjects: [`${place.names.prefix}.x`] });
    await mesh.nats.jetstream().publish(`${place.names.prefix}.x`, "kept");
    await server.kill();
    assert.equal(server.isRunning, false);
    await server.start();
    assert.equal(server.url, url);
    // What is asked in the moment of the reconnect may be lost with the old connection: ask again.
    const stream = await eventually("the stream is back", () => jsm.streams.info(`${place.names.prefix}-x`));
    assert.equal(stream.state.messages, 1);
  });

  it("carry a mesh whose nodes see each other", async () => {
    await using place = await testPlace();
    await using one = await startMesh({
      place,
      services: [{ name: "echo", actions: { say: (ctx: { params: { word: string } }) => ctx.params.word } }],
    });
    await using two = await startMesh({ place, services: [] });
    await two.broker.waitForServices("echo", 10_000);
    assert.equal(await two.broker.call("echo.say", { word: "hello" }), "hello");
    assert.notEqual(one.broker.nodeID, two.broker.nodeID);
  });
});
