import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { getPriority, hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { running } from "../../bin/stack/leftovers.ts";
import { serviceFiles } from "../../bin/stack/mesh.ts";
import { isRunning, type ProcessRecord } from "../../bin/stack/process.ts";
import { ownerOf, readState } from "../../bin/stack/state.ts";
import { eventually } from "../support/eventually.ts";
import { servers } from "../support/servers.ts";

const root = join(import.meta.dirname, "..", "..");

interface Run {
  child: ChildProcess;
  output(): string;
  code: Promise<number | null>;
}

/** A variable by which those who fetch over the network know what they need. */
const network = { NO_PROXY: "registry.example" };

/** A command of ours as a process of its own, without our LEADS_ variables. */
function command(script: string, ...args: string[]): Run {
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, ...network };
  const child = spawn(process.execPath, [join(root, "bin", script), ...args], { cwd: root, env });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  const code = new Promise<number | null>((resolve) => child.once("close", (status) => resolve(status)));
  return { child, output: () => said, code };
}

describe("npm start and npm stop", () => {
  // A blank in its name, as any folder of a user may have.
  let dir: string;
  let outside: string | undefined;
  const runs: Run[] = [];
  const run = (script: string, ...args: string[]) => {
    const one = command(script, "--dir", dir, ...args);
    runs.push(one);
    return one;
  };

  before(() => {
    dir = mkdtempSync(join(tmpdir(), "lead factory "));
  });
  after(async () => {
    await run("stop.ts").code;
    for (const { child } of runs) child.kill("SIGKILL");
    if (outside && outside !== dir) rmSync(outside, { recursive: true, force: true });
    rmSync(dir, { recursive: true, force: true });
  });

  it("clean up after a kill -9 in mid-start, go on with the same data, and end what is theirs and nothing else", async function () {
    this.timeout(180_000);
    const { natsUrl } = await servers();

    const killed = run("start.ts", "--no-sample");
    const listed = () => readState(dir).processes;
    const early = { withinMs: 30_000, everyMs: 5 };
    const left = await eventually("the first servers run", () => (listed().length >= 2 ? listed() : undefined), early);
    killed.child.kill("SIGKILL");
    await killed.code;
    for (const one of left) assert.ok(isRunning(one), `${one.name} outlives its starter`);

    const second = run("start.ts", "--no-sample", "--detach", "--separate");
    assert.equal(await second.code, 0, second.output());
    for (const one of left) assert.ok(!isRunning(one), `${one.name} of the killed start has been ended`);
    const state = readState(dir);
    const postgres = state.processes.find(({ name }) => name === "postgres");
    if (postgres?.dataDir) outside = dirname(postgres.dataDir);
    const names = state.processes.map(({ name }) => name).filter((name) => name !== "redis");
    assert.deepEqual(names.sort(), ["nats", "postgres", ...serviceFiles().map(({ name }) => name)].sort());
    for (const one of state.processes) assert.ok(isRunning(one), `${one.name} runs`);
    assert.equal(
      statSync(join(dir, "state.json")).mode & 0o077,
      0,
      "the state, with the password, is its owner's alone",
    );

    const key = /with the key\s+(\S+)/.exec(second.output())?.[1];
    const ask = () => fetch(`${state.apiUrl}/v1/leads`, { headers: { authorization: `Bearer ${key}` } });
    assert.equal((await ask()).status, 200, "the key that was shown opens the API");

    const third = run("start.ts", "--no-sample");
    assert.equal(await third.code, 0);
    assert.match(third.output(), new RegExp(`runs already.*${state.apiUrl}`));

    const score = state.processes.find(({ name }) => name === "score")!;
    process.kill(score.pid, "SIGKILL");
    const again = await eventually(
      "score is started again",
      () => readState(dir).processes.find(({ name, pid }) => name === "score" && pid !== score.pid),
      { withinMs: 30_000 },
    );
    await eventually("the new score answers", () => isWell(again, state.env), { withinMs: 30_000, everyMs: 200 });

    const stop = run("stop.ts");
    assert.equal(await stop.code, 0, stop.output());
    for (const one of [...state.processes, again]) assert.ok(!isRunning(one), `${one.name} has ended`);
    assert.deepEqual(running(dir, readState(dir)), []);
    assert.deepEqual(readState(dir).processes, []);
    const { ports } = readState(dir);
    assert.notEqual(ports["nats"], Number(new URL(natsUrl).port));
    assert.ok((await fetchInfo(natsUrl)).startsWith("INFO "), "another's NATS still answers");
  });

  it("run a process for the API and one for each lane, which gives way to the API, and imports to live leads", async function () {
    this.timeout(180_000);
    const start = run("start.ts", "--no-sample", "--detach");
    assert.equal(await start.code, 0, start.output());
    const { processes } = readState(dir);
    const niceness = (name: string) => getPriority(processes.find((one) => one.name === name)!.pid);
    const own = getPriority();
    const expected = [own, Math.max(own, 5), Math.max(own, 15)];
    assert.deepEqual(["gateway", "live", "bulk"].map(niceness), expected);
    for (const [n, name] of ["live", "bulk"].entries()) {
      const autogroup = `/proc/${processes.find((one) => one.name === name)!.pid}/autogroup`;
      const wanted = expected[n + 1]!;
      if (wanted > own && existsSync(autogroup))
        await eventually(`the session of ${name} gives way, too`, () =>
          readFileSync(autogroup, "latin1").endsWith(` nice ${wanted}\n`),
        );
    }
    const starter = `/proc/${ownerOf(dir)!.pid}/environ`;
    if (existsSync(starter)) {
      const variables = readFileSync(starter, "utf8").split("\0");
      assert.ok(variables.includes(`NO_PROXY=${network.NO_PROXY}`), "it fetches the way that its caller would");
    }
    assert.equal(await run("stop.ts").code, 0);
    for (const one of processes) assert.ok(!isRunning(one), `${one.name} has ended`);
  });

  it("end everything when Ctrl-C comes in mid-start", async function () {
    this.timeout(120_000);
    const start = run("start.ts", "--no-sample");
    await eventually("it is under way", () => readState(dir).processes.length > 0, { withinMs: 30_000, everyMs: 5 });
    start.child.kill("SIGINT");
    assert.equal(await start.code, 130, start.output());
    assert.deepEqual(running(dir, readState(dir)), []);
  });

  it("end everything when the terminal is closed in mid-start, and nobody reads what they say", async function () {
    this.timeout(120_000);
    const start = run("start.ts", "--no-sample");
    await eventually("it is under way", () => readState(dir).processes.length > 1, { withinMs: 30_000, everyMs: 5 });
    for (const stream of [start.child.stdout, start.child.stderr]) stream!.destroy();
    start.child.kill("SIGHUP");
    assert.equal(await start.code, 130);
    assert.deepEqual(running(dir, readState(dir)), []);
  });

  it("say every wrong setting, and start nothing", async () => {
    const { PATH, HOME } = process.env;
    const child = spawn(process.execPath, [join(root, "bin", "start.ts"), "--dir", dir], {
      env: { PATH, HOME, LEADS_DRAIN_MS: "soon", LEADS_COLOUR: "red" },
    });
    let said = "";
    child.stderr.on("data", (chunk) => (said += chunk));
    assert.equal(await new Promise((resolve) => child.once("close", resolve)), 1);
    assert.match(said, /LEADS_DRAIN_MS="soon": allowed is 100 to 600000/);
    assert.match(said, /LEADS_COLOUR is not a setting/);
    assert.deepEqual(running(dir, readState(dir)), []);
  });
});

async function isWell({ pid }: ProcessRecord, env: Record<string, string>): Promise<boolean> {
  const child = spawn(process.execPath, [join(root, "bin", "health.ts"), `${hostname().toLowerCase()}-${pid}`], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: "ignore",
  });
  return (await new Promise((resolve) => child.once("exit", resolve))) === 0;
}

/** The first line a NATS server says to whoever connects. */
async function fetchInfo(natsUrl: string): Promise<string> {
  const { connect } = await import("node:net");
  const { hostname: host, port } = new URL(natsUrl);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) });
    socket.once("error", reject);
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}
