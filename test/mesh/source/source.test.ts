import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context, ServiceSchema } from "moleculer";
import { environmentOf } from "../../../config/settings.ts";
import { openDatabase } from "../../../mixins/knex.ts";
import { defineService } from "../../../mixins/schema.ts";
import listings from "../../../services/listing-ndjson/listing-ndjson.service.ts";
import source from "../../../services/source/source.service.ts";
import { claim, openWork } from "../../../services/source/source.sql.ts";
import { itemsOf } from "../../../services/source/work.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { testPlace } from "../../support/servers.ts";
import { leadsIn } from "../import/support.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const zips = ["60601", "60602", "60603"];
const verticals = ["bar", "bakery"];

/** `count` listings spread over zips and verticals, a third of them with their address in one line. */
function listing(count: number): string {
  return Array.from({ length: count }, (_, n) => {
    const zip = zips[n % 3]!;
    const told = n % 9 === 0 ? { address: `${n} Main St, Chicago, IL ${zip}` } : { zip, street: `${n} Main St` };
    return `${JSON.stringify({ sourceId: String(n), name: `Business ${n}`, vertical: verticals[n % 2], ...told })}\n`;
  }).join("");
}

/** A folder with one list; `await using` removes it. */
function folder(text: string) {
  const path = mkdtempSync(join(tmpdir(), "leadfactory-lists-"));
  writeFileSync(join(path, "list.ndjson"), text);
  return { path, [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }) };
}

/** Short times, so that a test need not wait for a lease. */
const quickSource = { ...source, settings: { leaseMs: 1_000, patienceMs: 300 } as object } as ServiceSchema;
const order = { tenant: "acme", provider: "ndjson", listing: "list.ndjson", zips, verticals };

/** What moleculer-repl makes of a line that begins with `call`. */
async function typed(line: string, mesh: TestMesh): Promise<{ action: string; params: object }> {
  const repl = createRequire(createRequire(import.meta.url).resolve("moleculer-repl"));
  const { parseArgsStringToArgv } = repl("string-argv");
  const program = new (repl("commander").Command)();
  const read = Promise.withResolvers<{ actionName: string; jsonParams?: string; options: object }>();
  repl("./src/commands/call.js").declaration(program, mesh.broker, (_: unknown, args: any) => read.resolve(args));
  await program.parseAsync(parseArgsStringToArgv(line, "node", "repl"));
  const { actionName, jsonParams, options } = await read.promise;
  return { action: actionName, params: jsonParams === undefined ? options : JSON.parse(jsonParams) };
}

const progress = (mesh: TestMesh) => mesh.broker.call<any, any>("source.progress", { tenant: "acme" });
const done = (mesh: TestMesh, items: number) =>
  eventually("all work done", async () => ((await progress(mesh)) as { done: number }).done === items, {
    withinMs: 30_000,
  });

describe("source: listings by postal code and vertical", () => {
  it("takes each listing in once, by the item it belongs to", async () => {
    await using dir = folder(
      `${listing(1_800)}not json\n{"name":"Nowhere","vertical":"bar","zip":"99999"}\n{"vertical":"bar","zip":"60601"}\n`,
    );
    await using mesh = await startMesh({ services: [quickSource, listings], env: { LEADS_LISTINGS_DIR: dir.path } });
    assert.deepEqual(await mesh.broker.call("source.enqueue", order), { items: 6, open: 6, opened: 6 });
    await done(mesh, 6);
    const leads = await leadsIn(mesh.resources, mesh.names.intake.stream);
    assert.equal(leads.length, 1_800);
    assert.equal(new Set(leads.map(({ leadId }) => leadId)).size, 1_800);
    assert.deepEqual(new Set(leads.map(({ source, trust }) => `${source} ${trust}`)), new Set(["ndjson scraped"]));
    const state = await progress(mesh);
    assert.deepEqual([state.open, state.accepted], [0, 1_800]);
    assert.ok(state.refused >= 6, "unreadable rows are counted with every item that reads over them");
  });

  it("does an item that is named twice once, open or done", async () => {
    await using dir = folder(listing(60));
    await using mesh = await startMesh({ services: [quickSource, listings], env: { LEADS_LISTINGS_DIR: dir.path } });
    await mesh.broker.call("source.pause", { by: "test", reason: "" });
    await mesh.broker.call("source.enqueue", order);
    assert.deepEqual(await mesh.broker.call("source.enqueue", { ...order, zips: [...zips, "60601"] }), {
      items: 6,
      open: 6,
      opened: 0,
    });
    await mesh.broker.call("source.resume");
    await done(mesh, 6);
    assert.deepEqual(await mesh.broker.call("source.enqueue", order), { items: 6, open: 0, opened: 0 });
    assert.equal((await leadsIn(mesh.resources, mesh.names.intake.stream)).length, 60);
    const knex = mesh.resources.databases.of("acme");
    await knex.raw("update source_work set finished_at = finished_at - interval '2 days'");
    assert.deepEqual(await mesh.broker.call("source.enqueue", order), { items: 6, open: 6, opened: 6 });
    await done(mesh, 6);
    const leads = await leadsIn(mesh.resources, mesh.names.intake.stream);
    assert.equal(new Set(leads.map(({ leadId }) => leadId)).size, 60);
    assert.equal(leads.length, 120, "a day later it is looked at again");
  });

  it("lets one of many hold an item, and another take it over where it stopped", async () => {
    await using place = await testPlace();
    const knex = openDatabase(place.settings);
    try {
      const [item] = itemsOf({ ...order, zips: ["60601"], verticals: ["bar"], trust: "scraped", region: "US" }, 1_000);
      await openWork(knex, [item!], 1_000);
      const holders = Array.from({ length: 12 }, () => crypto.randomUUID());
      const claims = await Promise.all(holders.map((holder) => claim(knex, item!, holder, 60_000)));
      assert.deepEqual(claims.map(({ kind }) => kind).sort(), ["claimed", ...Array(11).fill("leased")]);
      await knex.raw("update source_work set lease_until = now() - interval '1 s', cursor = '77'");
      const taken = await Promise.all(holders.map(() => claim(knex, item!, crypto.randomUUID(), 60_000)));
      assert.deepEqual(
        taken.filter(({ kind }) => kind === "claimed"),
        [{ kind: "claimed", cursor: "77" }],
      );
      assert.deepEqual(await claim(knex, { ...item!, revision: 5 }, holders[0]!, 1), { kind: "over" });
    } finally {
      await knex.destroy();
    }
  });

  it("shares work between two instances", async () => {
    await using dir = folder(listing(3_000));
    await using place = await testPlace();
    await using first = await startMesh({
      services: [quickSource, listings],
      place,
      env: { LEADS_LISTINGS_DIR: dir.path },
    });
    await using second = await startMesh({ services: [quickSource], place });
    await first.broker.call("source.enqueue", order);
    await done(second, 6);
    const leads = await leadsIn(first.resources, first.names.intake.stream);
    assert.equal(leads.length, 3_000, "no item was done by both");
    assert.equal(new Set(leads.map(({ leadId }) => leadId)).size, 3_000);
  });

  it("goes on behind a process that was killed, at the page where it was", async function () {
    // A process comes up, and its message is delivered again when its ack wait is over.
    this.timeout(120_000);
    await using place = await testPlace();
    const asked: (string | null)[] = [];
    let hanging: (() => void) | undefined;
    let letGo: (() => void) | undefined;
    const hangs = new Promise<void>((resolve) => {
      hanging = resolve;
    });
    // Five pages of ten; the third hangs for the one who asks first.
    const slow = defineService({
      name: "listing-slow",
      actions: {
        async page(ctx: Context<{ cursor: string | null }>) {
          const { cursor } = ctx.params;
          asked.push(cursor);
          const n = Number(cursor ?? 0);
          if (n === 2 && asked.filter((c) => c === "2").length === 1) {
            hanging!();
            await new Promise<void>((resolve) => {
              letGo = resolve;
            });
          }
          const rows = Array.from({ length: 10 }, (_, k) => ({
            raw: { sourceId: `${n}-${k}`, name: `Bar ${n}-${k}`, zip: "60601" },
          }));
          return { rows, unreadable: 0, cursor: n < 4 ? String(n + 1) : null };
        },
      },
    });
    await using provider = await startMesh({ services: [slow], place });
    const runner = join(root, "node_modules", "moleculer", "bin", "moleculer-runner.mjs");
    const child = spawn(
      process.execPath,
      [runner, "--config", "moleculer.config.ts", "services/source/source.service.ts"],
      {
        cwd: root,
        env: { ...process.env, ...environmentOf(place.settings) },
        stdio: "ignore",
      },
    );
    try {
      await provider.broker.waitForServices("source", 20_000);
      await provider.broker.call("source.enqueue", { ...order, provider: "slow", zips: ["60601"], verticals: ["bar"] });
      await hangs;
    } finally {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      letGo?.();
    }
    const knex = provider.resources.databases.of("acme");
    await knex.raw("update source_work set lease_until = now()");
    await using second = await startMesh({ services: [quickSource], place });
    await done(second, 1);
    assert.deepEqual(asked, [null, "1", "2", "2", "3", "4"], "pages that were noted are not read again");
    const leads = await leadsIn(provider.resources, provider.names.intake.stream);
    assert.equal(leads.length, 50);
    assert.equal(new Set(leads.map(({ leadId }) => leadId)).size, 50);
  });

  it("makes an item wait for a server that is down, and the others pass", async () => {
    const text = listing(1_500);
    let up = false;
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.headers.range ?? "all"}`);
      if (!up) return response.writeHead(503).end();
      // Knows no ranges: the reader skips what it has.
      response.end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      await using dir = folder(listing(30));
      await using mesh = await startMesh({
        services: [quickSource, listings],
        env: { LEADS_LISTINGS_DIR: dir.path, LEADS_LISTINGS_ORIGINS: origin },
      });
      await mesh.broker.call("source.enqueue", {
        ...order,
        listing: `${origin}/l`,
        zips: ["60601"],
        verticals: ["bar"],
      });
      await eventually("two looks at the server", () => asked.length >= 2);
      await mesh.broker.call("source.enqueue", order);
      await done(mesh, 6);
      up = true;
      await done(mesh, 7);
      const state = await progress(mesh);
      assert.equal(state.accepted, 30 + 250);
      assert.equal(
        (await mesh.nats.jetstreamManager().then((jsm) => jsm.streams.info(mesh.names.dead.stream))).state.messages,
        0,
      );
    } finally {
      server.close();
    }
  });

  it("reads no file outside its folder and no server that nobody allowed", async () => {
    await using dir = folder(listing(1));
    await using mesh = await startMesh({ services: [listings], env: { LEADS_LISTINGS_DIR: dir.path } });
    for (const name of [
      "../../etc/passwd",
      "/etc/passwd",
      "none.ndjson",
      ".",
      "http://127.0.0.1:1/x",
      "http://169.254.169.254/",
    ])
      await assert.rejects(
        mesh.broker.call("listing-ndjson.page", { listing: name, zip: "60601", cursor: null }),
        (error: { type: string }) => error.type === "NOT_FOUND",
        name,
      );
  });

  it("takes the order that docs/intake.md shows, as the console reads it", async () => {
    const line = /^call source\.enqueue .*$/m.exec(readFileSync(join(root, "docs", "intake.md"), "utf8"))![0];
    await using mesh = await startMesh({ services: [quickSource] });
    const { action, params } = await typed(line, mesh);
    assert.deepEqual(await mesh.broker.call(action, params), { items: 1, open: 1, opened: 1 });
  });

  it("refuses an order that is none", async () => {
    await using mesh = await startMesh({ services: [quickSource, listings] });
    for (const wrong of [
      { tenant: "A B" },
      { provider: "../x" },
      { zips: [] },
      { verticals: [""] },
      { trust: "sure" },
      { areaCode: "77" },
    ])
      await assert.rejects(
        mesh.broker.call("source.enqueue", { ...order, ...wrong }),
        /Parameters validation/,
        JSON.stringify(wrong),
      );
  });
});
