import assert from "node:assert/strict";
import { statfsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { leastStore, storeLimit } from "../../bin/stack/nats.ts";
import { namesFor } from "../../config/names.ts";
import { loadSettings } from "../../config/settings.ts";
import { ensureShared, jsApi } from "../../mixins/jetstream.ts";
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

  it("let streams hold three quarters of the free disk, beside what they hold", async () => {
    await using server = await ownNats();
    await server.stop();
    // Holes: it takes no room on the disk.
    writeFileSync(join(server.dataDir, "held"), "");
    truncateSync(join(server.dataDir, "held"), 40e9);
    await server.start();
    const { bavail, bsize } = statfsSync(server.dataDir);
    const free = Math.floor(bavail * bsize * 0.75);
    const nc = await connect({ servers: server.url });
    try {
      const { streams } = await nc.jetstreamManager();
      await streams.add({ name: "most", subjects: ["most"], max_bytes: free + 35e9 });
      await assert.rejects(
        streams.add({ name: "more", subjects: ["more"], max_bytes: 10e9 }),
        /insufficient storage resources/,
      );
    } finally {
      await nc.close();
    }
  });

  it("have room for the limits of a mesh's streams, however little the disk has free", async () => {
    assert.equal(storeLimit(0, 7e9), leastStore);
    assert.equal(storeLimit(30e9, 8e9), 36e9);
    await using server = await ownNats();
    const nc = await connect({ servers: server.url });
    try {
      const settings = loadSettings({});
      await ensureShared(nc, namesFor(settings.prefix), settings);
      const account = await jsApi(nc, "INFO");
      // The log's stream, and the one in which e-mails are set aside, come later.
      assert.ok(account.reserved_storage + settings.logStreamBytes + 2 ** 26 <= leastStore);
    } finally {
      await nc.close();
    }
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
