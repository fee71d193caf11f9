import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { headers as natsHeaders } from "nats";
import { createDatabase, dropDatabase } from "../../bin/stack/postgres.ts";
import { headers } from "../../config/names.ts";
import { environmentOf } from "../../config/settings.ts";
import { consumerInfo, ensureConsumer, jsApi } from "../../mixins/jetstream.ts";
import { openDatabase } from "../../mixins/knex.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { migrate } from "../../services/leads/migrations/migrate.ts";
import { eventually } from "../support/eventually.ts";
import { aLead, passed } from "../support/leads.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { ownPostgres, servers, testPlace, withSettings } from "../support/servers.ts";

const services = ["services/leads/leads.service.ts"];
const root = join(import.meta.dirname, "..", "..");

const bytes = (ids: string[]) => new Uint8Array(Buffer.from(ids.join("").replaceAll("-", ""), "hex"));
const waiting = async ({ nats }: Pick<TestMesh, "nats">, stream: string) =>
  (await jsApi(nats, `STREAM.INFO.${stream}`)).state.messages as number;

describe("the recorder", function () {
  this.timeout(90_000);

  const acceptances = (mesh: TestMesh) => mesh.resources.databases.of("acme")("acceptances");
  const countAccepted = async (mesh: TestMesh) => Number((await acceptances(mesh).count({ n: "*" }))[0]!["n"]);
  const acceptMany = async ({ nats, names }: TestMesh, ids: string[], importId?: string) => {
    const h = natsHeaders();
    if (importId) h.set(headers.importId, importId);
    await nats.jetstream().publish(names.accepted.many("acme"), bytes(ids), { headers: h });
  };
  const acceptOne = ({ nats, names }: TestMesh, id: string, tenant = "acme") =>
    nats.jetstream().publish(names.accepted.one(tenant, id));
  const bury = ({ nats, names }: TestMesh, lead: Lead | null, stage = "score") =>
    nats.jetstream().publish(
      names.dead.subject(stage, "acme"),
      JSON.stringify({
        v: 1,
        lead,
        stage,
        error: { type: "TypeError", message: "m" },
        attempts: 6,
        firstAt: 1,
        lastAt: 2,
      }),
    );

  it("books what was accepted, one by one and many at once, with its moment and its import, and lets go of the messages", async () => {
    await using mesh = await startMesh({ services });
    const { names } = mesh;
    const [single, importId, many] = [randomUUID(), randomUUID(), Array.from({ length: 50 }, () => randomUUID())];
    const before = Date.now();
    await acceptOne(mesh, single);
    await acceptMany(mesh, many, importId);
    await acceptOne(mesh, single, "other");
    await eventually(
      "all are booked",
      async () => (await countAccepted(mesh)) === 52 && (await waiting(mesh, names.accepted.stream)) === 0,
    );
    const rows = await acceptances(mesh).where({ lead_id: single }).orderBy("tenant");
    assert.deepEqual(
      rows.map((r: any) => [r.tenant, r.import_id]),
      [
        ["acme", null],
        ["other", null],
      ],
    );
    assert.ok(Math.abs(rows[0].accepted_at.getTime() - before) < 5_000);
    assert.equal((await acceptances(mesh).where({ import_id: importId })).length, 50);
  });

  it("keeps the first of what is told twice, and goes on past messages that are none of its own", async () => {
    await using mesh = await startMesh({ services });
    const [id, other, first, second] = Array.from({ length: 4 }, () => randomUUID()) as [
      string,
      string,
      string,
      string,
    ];
    await acceptMany(mesh, [id], first);
    await eventually("it is booked", async () => (await countAccepted(mesh)) === 1);
    await mesh.nats.jetstream().publish(mesh.names.accepted.many("acme"), new Uint8Array(7));
    await mesh.nats.jetstream().publish(`${mesh.names.prefix}.accepted.NO-TENANT.x`);
    await acceptMany(mesh, [id, other, id], second);
    await eventually("the stream is empty", async () => (await waiting(mesh, mesh.names.accepted.stream)) === 0);
    assert.deepEqual(Object.fromEntries((await acceptances(mesh)).map((r: any) => [r.lead_id, r.import_id])), {
      [id]: first,
      [other]: second,
    });
    const { state, foreign } = await mesh.broker.call<any>("leads.recorder");
    assert.deepEqual([state, foreign], ["reading", { accepted: 2, dead: 0, operations: 0 }]);
  });

  it("marks the leads of dead letters, sets apart those of nobody, and leaves the letters where they are", async () => {
    await using mesh = await startMesh({ services });
    const lead = passed(aLead(), "enrich", "dedupe");
    await bury(mesh, lead);
    await bury(mesh, null);
    await bury(mesh, { ...lead, leadId: randomUUID() }, "source");
    await bury(mesh, lead);
    const { nats, names } = mesh;
    await eventually("all letters are read", async () => {
      const { num_pending, num_ack_pending } = await consumerInfo(nats, names.dead.stream, names.dead.consumer);
      return num_pending + num_ack_pending === 0;
    });
    const rows = await mesh.resources.databases.of("acme")("leads");
    assert.deepEqual(
      rows.map((r: any) => [r.lead_id, r.state, r.stage, r.reason, r.name]),
      [[lead.leadId, "dead", "score", "TypeError", lead.fields.name]],
    );
    assert.equal(await waiting(mesh, names.dead.stream), 4);
    assert.deepEqual((await mesh.broker.call<any>("leads.recorder")).foreign, { accepted: 0, dead: 1, operations: 0 });
  });

  it("starts without its database, waits while it is gone again, and loses and redelivers nothing", async () => {
    await using place = await testPlace();
    await using database = await ownPostgres();
    const LEADS_DATABASE_URL = await createDatabase(database.url, "record");
    const settings = withSettings(place.settings, {
      LEADS_DATABASE_URL,
      LEADS_PROBE_MIN_MS: "100",
      LEADS_PROBE_MAX_MS: "400",
    });
    const knex = openDatabase(settings);
    await migrate(knex).finally(() => knex.destroy());
    await database.stop();
    await using mesh = await startMesh({ services, place: { settings, names: place.names } });
    const ids = Array.from({ length: 400 }, () => randomUUID());
    const state = async () => (await mesh.broker.call<any>("leads.recorder")).state;
    assert.equal(await state(), "waiting");
    await acceptMany(mesh, ids.slice(0, 50));
    await database.start();
    await eventually("the first are booked", async () => (await countAccepted(mesh)) === 50);
    assert.equal(await state(), "reading");

    await database.kill();
    await Promise.all(ids.slice(50).map((id) => acceptOne(mesh, id)));
    await eventually("it waits", async () => (await state()) === "waiting");
    const { stream, consumer } = place.names.accepted;
    const before = await consumerInfo(mesh.nats, stream, consumer);
    await database.start();
    await eventually("all are booked", async () => (await countAccepted(mesh)) === ids.length);
    await eventually("all are let go", async () => (await waiting(mesh, stream)) === 0);
    const after = await consumerInfo(mesh.nats, stream, consumer);
    assert.equal(before.num_redelivered + after.num_redelivered, 0);
    assert.equal(after.delivered.consumer_seq, after.delivered.stream_seq, "each was delivered once");
  });

  it("killed in the middle, leaves to the next what it had in hand", async () => {
    await using place = await testPlace();
    await using mesh = await startMesh({ services: [], place });
    const { stream, consumer } = place.names.accepted;
    const ids = Array.from({ length: 30_000 }, () => randomUUID());
    const start = () =>
      spawn(
        process.execPath,
        [join(root, "node_modules/moleculer/bin/moleculer-runner.mjs"), "--config", "moleculer.config.ts", ...services],
        {
          cwd: root,
          env: { PATH: process.env.PATH, ...environmentOf(place.settings) },
          stdio: "ignore",
        },
      );
    const child = start();
    try {
      await eventually("its consumer is there", () => consumerInfo(mesh.nats, stream, consumer), { withinMs: 30_000 });
      for (let at = 0; at < ids.length; at += 5_000)
        await Promise.all(ids.slice(at, at + 5_000).map((id) => acceptOne(mesh, id)));
      await eventually("it has begun", async () => (await countAccepted(mesh)) > 0, { everyMs: 1 });
    } finally {
      child.kill("SIGKILL");
    }
    await using next = await startMesh({ services, place });
    await eventually("it reads", async () => (await next.broker.call<any>("leads.recorder")).state === "reading");
    // What the dead one had in hand comes back after this time; 30 s in earnest.
    await ensureConsumer(mesh.nats, stream, {
      durable_name: consumer,
      ack_wait: 1_000_000_000,
      max_ack_pending: 10_000,
    });
    await eventually("all are booked", async () => (await waiting(mesh, stream)) === 0, { withinMs: 40_000 });
    assert.equal(await countAccepted(mesh), ids.length);
  });

  it("goes on by itself when its consumer is deleted under it", async () => {
    await using mesh = await startMesh({ services, env: { LEADS_PROBE_MIN_MS: "50" } });
    const { stream, consumer } = mesh.names.accepted;
    await acceptOne(mesh, randomUUID());
    await eventually("the first is booked", async () => (await countAccepted(mesh)) === 1);
    await jsApi(mesh.nats, `CONSUMER.DELETE.${stream}.${consumer}`);
    await acceptOne(mesh, randomUUID());
    await eventually("the second is booked", async () => (await countAccepted(mesh)) === 2);
  });

  it("refuses to start on a database without its tables, and says which migrations are missing", async () => {
    await using place = await testPlace();
    const { databaseUrl } = await servers();
    const name = `bare${randomBytes(4).toString("hex")}`;
    const LEADS_DATABASE_URL = await createDatabase(databaseUrl, name);
    try {
      const settings = withSettings(place.settings, { LEADS_DATABASE_URL });
      await assert.rejects(
        startMesh({ services, place: { settings, names: place.names } }),
        /not migrated: it lacks 001-record/,
      );
    } finally {
      await dropDatabase(databaseUrl, name);
    }
  });
});
