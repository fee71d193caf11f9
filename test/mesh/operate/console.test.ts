import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyState, enter, writeState } from "../../../bin/stack/state.ts";
import { onPath } from "../../../bin/stack/tools.ts";
import { environmentOf } from "../../../config/settings.ts";
import { ensureStreams } from "../../../mixins/jetstream.ts";
import { Console } from "../../support/console.ts";
import { bury, jobEnd } from "../../support/dead-letters.ts";
import { eventually } from "../../support/eventually.ts";
import { operators } from "../../support/gateway.ts";
import { aLead, passed } from "../../support/leads.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { commands } from "../../support/runbook.ts";

const root = join(import.meta.dirname, "../../..");

describe("the operators' console", function () {
  this.timeout(90_000);

  let mesh: TestMesh;
  let dir: string;
  let leave: (() => void) | undefined;
  let node: ChildProcess | undefined;
  let terminal: Console;
  const leads = Array.from({ length: 3 }, () => passed(aLead(), "enrich", "dedupe"));

  before(async function () {
    if (onPath("script") === undefined) {
      console.log("# skipped: there is no `script` to make a terminal with");
      return this.skip();
    }
    mesh = await startMesh({ services: ["services/leads/leads.service.ts", ...operators] });
    const { nats, names, settings, resources } = mesh;
    await ensureStreams(nats, names, settings, resources.flow, resources.side);
    await bury(mesh, leads, { stage: "mockup" });
    const runner = join(root, "node_modules/moleculer/bin/moleculer-runner.mjs");
    node = spawn(process.execPath, [runner, "--config", "moleculer.config.ts", "services/score/score.service.ts"], {
      cwd: root,
      env: { PATH: process.env["PATH"], ...environmentOf(settings) },
      stdio: "ignore",
    });
    dir = mkdtempSync(join(tmpdir(), "leadfactory-console-"));
    leave = await enter(dir);
    writeState(dir, { ...emptyState, phase: "up", apiUrl: "http://127.0.0.1:1", env: environmentOf(settings) });
    terminal = new Console(dir);
    await Promise.all([mesh.broker.waitForServices("score", 60_000), terminal.ready()]);
  });
  after(async () => {
    terminal?.kill();
    node?.kill("SIGKILL");
    leave?.();
    if (dir) rmSync(dir, { recursive: true, force: true });
    await mesh?.[Symbol.asyncDispose]();
  });

  it("shows the stages, pauses one with a reason and resumes it", async () => {
    assert.match(await terminal.type("stages"), /score +working +1 +0/);
    assert.match(await terminal.type("stage score --pause we look at it"), /score: paused .*by repl .*: we look at it/);
    const { stages } = await eventually("it is told", async () => {
      const told = await terminal.json("stages");
      return told.stages.find((s: any) => s.name === "score").state === "paused" && told;
    });
    assert.equal(stages.find((s: any) => s.name === "score").why, "we look at it");
    assert.match(await terminal.type("stage score --resume"), /score: resumed/);
    assert.match(await terminal.type("stage nonsense"), /error: there is no stage nonsense/);
  });

  it("does nothing where what is given for a number is none", async () => {
    const { counts } = await terminal.json("dead");
    for (const line of [
      "dead discard --all --limit 1o --reason x",
      "dead redrive --all --rate 50/s",
      "dead redrive --all --since 1h",
      "dead --since -60",
      "operations --limit 20,",
      `stream ${mesh.names.dead.stream} --peek x`,
    ])
      assert.match(
        await terminal.type(line),
        /^error: --(limit|rate|since|peek) takes a number from 0 up, not "/m,
        line,
      );
    assert.deepEqual((await terminal.json("dead")).counts, counts);
    assert.equal(counts.total, leads.length);
  });

  it("shows a lead, says why it is where it is, and mends and redrives its dead letter", async () => {
    const [lead] = leads;
    assert.match(await terminal.type(`lead ${lead!.leadId}`), /dead \(TypeError\)[\s\S]*enrich/);
    assert.match(
      await terminal.type(`why ${lead!.leadId}`),
      /dead since .* in mockup: TypeError: m\. It waits for an operator/,
    );
    const { items, counts } = await terminal.json("dead --stage mockup");
    assert.deepEqual([items.length, counts.total], [3, 3]);
    const { id } = items.find((l: any) => l.leadId === lead!.leadId);
    assert.equal((await terminal.json(`dead show ${id}`)).lead.leadId, lead!.leadId);
    assert.match(
      await terminal.type(`dead redrive ${id} --dry-run`),
      /would be done with 1; of 1 looked at, 1 can be redriven/,
    );
    const job = await terminal.json(`dead redrive ${id}`);
    assert.equal((await jobEnd(mesh, job.id)).redriven, 1);
    assert.match(
      await terminal.type(`why ${lead!.leadId}`),
      /in the mailbox of mockup \(live\).*No instance of the stage runs/,
    );
    const away = await terminal.json("dead discard --all --reason not worth it");
    assert.deepEqual([(await jobEnd(mesh, away.id)).discarded, away.reason], [2, "not worth it"]);
    assert.match(await terminal.type("dead jobs"), /redrive +done[\s\S]*discard|discard +done[\s\S]*redrive/);
  });

  it("shows the streams, looks into one without taking, proves conservation, and tells what was done", async () => {
    const { mailbox, dead } = mesh.names;
    assert.match(await terminal.type("streams"), new RegExp(mailbox("mockup").stream));
    const [message] = await terminal.json(`stream ${mailbox("mockup").stream} --peek 5`);
    assert.ok(message.subject.startsWith(mailbox("mockup").stream.replace("-", ".")));
    assert.match(await terminal.type(`stream ${dead.stream} --peek 1`), /it is empty/);
    assert.match(await terminal.type("audit"), /conservation: ok/);
    const { items } = await eventually("all is booked", async () => {
      const log = await terminal.json("operations");
      return log.items.length >= 4 && log;
    });
    assert.ok(items.every((o: any) => /^repl /.test(o.by)));
    assert.deepEqual(
      items.map((o: any) => o.what),
      ["dead-letters.discard", "dead-letters.redrive", "stage.resume", "stage.pause"],
    );
  });

  it("completes names and ids, and helps", async () => {
    await terminal.complete("stage sco", "stage score");
    await terminal.complete(`why ${leads[1]!.leadId.slice(0, 13)}`, leads[1]!.leadId);
    for (const command of [
      "stages",
      "stage",
      "lead",
      "why",
      "dead",
      "streams",
      "stream",
      "audit",
      "operations",
      "drain",
    ])
      assert.match(await terminal.type(`${command} --help`), new RegExp(`Usage: .*${command}[\\s\\S]*--json`));
  });

  it("knows every command of docs/operate.md", async () => {
    const lines = commands("repl");
    assert.ok(lines.length > 10);
    const lead = passed(aLead(), "enrich", "dedupe");
    await bury(mesh, [lead], { stage: "email" });
    const [letter] = await mesh.broker.call<any, object>("dead-letters.ofLead", {
      tenant: "acme",
      leadId: lead.leadId,
    });
    for (const line of lines.filter((l) => !l.startsWith("drain"))) {
      const own = line.replace("LEAD", lead.leadId).replace("LETTER", letter.id).replace("leads-", mesh.names.streams);
      assert.doesNotMatch(await terminal.type(own), /^error|Usage:/m, line);
    }
  });

  it("drains a node, which ends in order", async () => {
    const { nodes } = await mesh.broker.call<any>("operations.nodes");
    const { id } = nodes.find((n: any) => n.services.includes("score"));
    const exited = new Promise((resolve) => node!.once("exit", (code) => resolve(code)));
    assert.match(await terminal.type(`drain ${id}`), /leaves/);
    assert.equal(await exited, 0);
    await terminal.end();
  });
});
