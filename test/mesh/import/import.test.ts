import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { importFile } from "../../../bin/import/import-file.ts";
import type { ImportSummary, Progress } from "../../../bin/import/options.ts";
import { environmentOf } from "../../../config/settings.ts";
import { importIdOf, leadIdOf, leadIdOfRow } from "../../../services/intake/ids.ts";
import { eventually } from "../../support/eventually.ts";
import { ownNats, testPlace, withSettings } from "../../support/servers.ts";
import { folder, leadsIn, meshOf } from "./support.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const sha = (text: string) => createHash("sha256").update(text).digest("hex");

/** `count` rows of which every fifth has no id of its own and every hundredth reaches nobody. */
function rowsOf(count: number): string {
  const lines = ["id,name,phone,city"];
  for (let n = 0; n < count; n++)
    lines.push(
      n % 100 === 99
        ? `${n},Nobody ${n},,`
        : `${n % 5 === 0 ? "" : n},"Bar ${n}\nWest",312555${String(n % 10_000).padStart(4, "0")},Chicago`,
    );
  return `${lines.join("\n")}\n`;
}
const refusedOf = (count: number) => Math.floor(count / 100);

describe("import of a file", () => {
  it("accepts what is right, keeps what is not with line and reasons, and counts both", async () => {
    await using dir = folder();
    await using place = await testPlace();
    await using mesh = await meshOf(place.settings);
    const text =
      'id,name,phone,website\n7,Joe,386-5286,Yes\n,Ann,3125550100,\n8,,3125550101,\n9,Bob,,\n"a"b,x,1\n7,Joe again,3865286,joe.example\n';
    const file = join(dir.path, "list.csv");
    writeFileSync(file, text);
    const seen: Progress[] = [];
    const options = { file, tenant: "acme", areaCode: "773", stateDir: join(dir.path, "state") };
    const summary = await importFile(options, mesh, (progress) => seen.push(progress));
    assert.deepEqual([summary.rows, summary.accepted, summary.refused, summary.resumedRows], [6, 3, 3, 0]);
    assert.deepEqual(summary.refusedBy, {
      "name is missing": 1,
      "lead needs a phone number, an e-mail address, a web site or an address": 1,
      "the row has a quotation mark inside a quoted cell that is not doubled": 1,
    });
    const importId = importIdOf("acme", "list.csv", sha(text));
    assert.equal(summary.importId, importId);
    assert.deepEqual(
      readFileSync(summary.refusedFile!, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
        .map(({ line, faults }) => [line, faults[0].field]),
      [
        [4, "name"],
        [5, "lead"],
        [6, ""],
      ],
    );
    assert.equal(seen.at(-1)?.bytes, text.length);

    const leads = await leadsIn(mesh, mesh.names.intake.stream);
    assert.deepEqual(
      leads.map(({ leadId }) => leadId),
      [leadIdOf("acme", "list.csv", "7"), leadIdOfRow(importId, 3), leadIdOf("acme", "list.csv", "7")],
    );
    assert.deepEqual(leads[0]!.fields, { name: "Joe", phone: "+17733865286" });
    assert.deepEqual(leads[0]!.warnings, [{ field: "website", message: '"Yes" is not a web address' }]);
    assert.ok(leads[2]!.revision > leads[0]!.revision, "the later telling of a source key is the later one");

    const again = await importFile(options, mesh);
    assert.deepEqual([again.rows, again.accepted, again.refused], [6, 3, 3]);
    const ids = new Set((await leadsIn(mesh, mesh.names.intake.stream)).map(({ leadId }) => leadId));
    assert.equal(ids.size, 2);
    assert.equal(readFileSync(again.refusedFile!, "utf8").trim().split("\n").length, 3);
  });

  it("sends the live lane straight into the first mailbox", async () => {
    await using dir = folder();
    await using place = await testPlace();
    await using mesh = await meshOf(place.settings);
    const file = join(dir.path, "list.ndjson");
    writeFileSync(file, '{"name":"Joe","phone":"3125550100"}\n{"name":"Ann","city":"Elgin"}\n');
    const summary = await importFile({ file, tenant: "acme", lane: "live", stateDir: dir.path, source: "mine" }, mesh);
    assert.equal(summary.accepted, 2);
    const first = await leadsIn(mesh, mesh.names.mailbox(mesh.flow[0]!.name).stream);
    assert.deepEqual(first.map(({ fields, source }) => [fields.name, source]).sort(), [
      ["Ann", "mine"],
      ["Joe", "mine"],
    ]);
    assert.deepEqual(await leadsIn(mesh, mesh.names.intake.stream), []);
  });

  it("says what is wrong with a mapping before it reads a row", async () => {
    await using dir = folder();
    await using place = await testPlace();
    await using mesh = await meshOf(place.settings);
    const file = join(dir.path, "list.csv");
    writeFileSync(file, "Site name,Phone\nJoe,1\n");
    const run = (map: string) => importFile({ file, tenant: "acme", stateDir: dir.path, map }, mesh);
    await assert.rejects(run("name=Nmae"), /there is no column "Nmae"; the header has "Site name", "Phone"/);
    await assert.rejects(run("nam=Site name"), /nam: is not a field of a lead/);
    await assert.rejects(
      importFile({ file: join(dir.path, "none.csv"), tenant: "acme", stateDir: dir.path }, mesh),
      /ENOENT/,
    );
  });

  it("leaves a file alone that is to take its refused rows and holds others, or is the file itself", async () => {
    await using dir = folder();
    await using place = await testPlace();
    await using mesh = await meshOf(place.settings);
    const file = join(dir.path, "refused.ndjson");
    const text = '{"name":"Joe","phone":"3125550100"}\n{"name":"Ann"}\n';
    writeFileSync(file, text);
    const customers = join(dir.path, "customers.csv");
    writeFileSync(customers, "name\nBob\n");
    const run = (refusedFile: string, restart: boolean) =>
      importFile({ file, tenant: "acme", stateDir: dir.path, refusedFile, restart }, mesh);
    for (const restart of [false, true]) await assert.rejects(run(file, restart), /is the file itself/);
    await assert.rejects(run(customers, false), /customers\.csv is not empty/);
    assert.deepEqual(
      [file, customers].map((path) => readFileSync(path, "utf8")),
      [text, "name\nBob\n"],
    );
    assert.deepEqual(await leadsIn(mesh, mesh.names.intake.stream), []);
    assert.equal((await run(customers, true)).refused, 1);
    assert.equal(JSON.parse(readFileSync(customers, "utf8")).line, 2);
  });

  it("goes on with a new file of refused rows where the one it had begun was taken away", async () => {
    await using dir = folder();
    await using place = await testPlace();
    await using mesh = await meshOf(place.settings);
    const file = join(dir.path, "list.csv");
    const refusedFile = join(dir.path, "refused.ndjson");
    const count = 60_000;
    writeFileSync(file, rowsOf(count));
    const options = { file, tenant: "acme", stateDir: dir.path, refusedFile };
    const stop = new AbortController();
    const onProgress = ({ rows }: Progress) => {
      if (rows >= 2_000) stop.abort();
    };
    await assert.rejects(importFile(options, mesh, onProgress, stop.signal), { name: "AbortError" });
    const before = readFileSync(refusedFile, "utf8").trim().split("\n").length;
    rmSync(refusedFile);
    const { refused, resumedRows } = await importFile(options, mesh);
    assert.ok(resumedRows >= 2_000, `${resumedRows}`);
    assert.equal(refused, refusedOf(count));
    const lines = readFileSync(refusedFile, "utf8").trim().split("\n");
    assert.equal(lines.map((line) => JSON.parse(line)).length, refused - before);
  });

  it("goes on with refused rows that it had written without being able to note how far it came", async () => {
    await using dir = folder();
    await using place = await testPlace();
    await using mesh = await meshOf(place.settings);
    const file = join(dir.path, "list.csv");
    const text = rowsOf(100);
    writeFileSync(file, text);
    const refusedFile = join(dir.path, "refused.ndjson");
    const options = { file, tenant: "acme", stateDir: dir.path, refusedFile };
    const inTheWay = join(dir.path, `${importIdOf("acme", "list.csv", sha(text))}.json.new`);
    const onProgress = () => void mkdirSync(inTheWay, { recursive: true });
    await assert.rejects(importFile(options, mesh, onProgress), { code: "EISDIR" });
    assert.equal(readFileSync(refusedFile, "utf8").trim().split("\n").length, 1);
    rmSync(inTheWay, { recursive: true });
    assert.equal((await importFile(options, mesh)).refused, 1);
    assert.equal(readFileSync(refusedFile, "utf8").trim().split("\n").length, 1);
  });

  it("waits for NATS when it goes away, and loses nothing", async () => {
    await using dir = folder();
    await using server = await ownNats();
    await using place = await testPlace();
    await using mesh = await meshOf(withSettings(place.settings, { LEADS_NATS_URL: server.url }));
    const count = 20_000;
    const file = join(dir.path, "list.csv");
    writeFileSync(file, rowsOf(count));
    let killed: Promise<void> | undefined;
    let waited = false;
    const summary = await importFile({ file, tenant: "acme", stateDir: dir.path }, mesh, (progress) => {
      if (progress.rows >= 2_000) killed ??= server.kill();
      if (progress.waiting !== undefined && !waited) {
        waited = true;
        void killed!.then(() => server.start());
      }
    });
    assert.ok(waited, "it never had to wait");
    assert.deepEqual([summary.rows, summary.refused], [count, refusedOf(count)]);
    const ids = new Set((await leadsIn(mesh, mesh.names.intake.stream)).map(({ leadId }) => leadId));
    assert.equal(ids.size, count - refusedOf(count));
  });
});

describe("npm run import", () => {
  const imports = join(root, ".stack", "imports");

  function run(
    args: string[],
    env: Record<string, string>,
  ): ChildProcess & { said: () => { out: string; err: string } } {
    const child = spawn(process.execPath, [join(root, "bin", "import.ts"), ...args], {
      cwd: root,
      env: { ...process.env, ...env },
    });
    let out = "";
    let err = "";
    child.stdout!.on("data", (data) => (out += data));
    child.stderr!.on("data", (data) => (err += data));
    return Object.assign(child, { said: () => ({ out, err }) });
  }
  const ended = (child: ChildProcess) =>
    new Promise<number | string>((resolve) => child.once("close", (code, signal) => resolve(code ?? signal!)));

  it("killed in the middle and run again, it takes every row in once", async () => {
    await using dir = folder();
    await using place = await testPlace();
    await using mesh = await meshOf(place.settings);
    const count = 60_000;
    const text = rowsOf(count);
    const file = join(dir.path, "list.csv");
    writeFileSync(file, text);
    const refusedFile = join(dir.path, "refused.ndjson");
    const args = [file, "--tenant", "acme", "--refused", refusedFile, "--json"];
    const env = environmentOf(place.settings);
    const checkpoint = join(imports, `${importIdOf("acme", "list.csv", sha(text))}.json`);
    rmSync(checkpoint, { force: true });

    const first = run(args, env);
    const firstEnd = ended(first);
    await eventually(
      "a checkpoint in the middle",
      () => existsSync(checkpoint) && JSON.parse(readFileSync(checkpoint, "utf8")).counts.rows >= 8_000,
      { everyMs: 5 },
    );
    first.kill("SIGKILL");
    assert.equal(await firstEnd, "SIGKILL", first.said().err);

    const second = run(args, env);
    assert.equal(await ended(second), 0, second.said().err);
    const summary = JSON.parse(second.said().out) as ImportSummary;
    assert.ok(summary.resumedRows >= 8_000 && summary.resumedRows < count, `resumed behind row ${summary.resumedRows}`);
    assert.deepEqual(
      [summary.rows, summary.accepted, summary.refused],
      [count, count - refusedOf(count), refusedOf(count)],
    );

    const leads = await leadsIn(mesh, mesh.names.intake.stream);
    const ids = new Set(leads.map(({ leadId }) => leadId));
    assert.equal(ids.size, count - refusedOf(count));
    const repeated = leads.length - ids.size;
    assert.ok(repeated <= 4_000, `${repeated} rows were told twice, more than two slices`);
    const lines = readFileSync(refusedFile, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).line);
    assert.equal(lines.length, refusedOf(count));
    assert.equal(new Set(lines).size, lines.length);
    assert.ok(!existsSync(checkpoint), "a finished import leaves no checkpoint");
    assert.deepEqual(
      readdirSync(imports).filter((name) => name.includes(summary.importId)),
      [],
    );
  });

  it("ends with 1 and says every fault of its arguments, or why it cannot begin", async () => {
    await using place = await testPlace();
    const wrong = run(["--lane", "fast", "--tenant", "A B", "--area-code", "x"], environmentOf(place.settings));
    assert.equal(await ended(wrong), 1);
    for (const part of ["--lane", "--tenant", "--area-code", "one FILE"])
      assert.match(wrong.said().err, new RegExp(part));
    const none = run(["/nowhere.csv"], environmentOf(place.settings));
    assert.equal(await ended(none), 1);
    assert.match(none.said().err, /ENOENT.*nowhere/);
    assert.doesNotMatch(none.said().err, /\bat .*import/);
  });

  it("explains itself", async () => {
    const help = run(["--help"], {});
    assert.equal(await ended(help), 0);
    assert.match(help.said().out, /usage: npm run import/);
  });
});
