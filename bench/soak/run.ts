/** `npm run soak`: hours at three quarters of what the mesh can bear, with a fault a minute, and what became of it. */
import { createReadStream, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { typedIn } from "../../config/settings.ts";
import { audit } from "../../services/leads/audit.ts";
import { Act } from "../../test/fault/act.ts";
import { Client } from "../../test/fault/client.ts";
import { warmTenant } from "../../test/fault/proof.sql.ts";
import type { Fault } from "../../test/fault/rows.ts";
import { World } from "../../test/fault/world.ts";
import { homeDir, stopServers } from "../../test/support/servers.ts";
import { breakingPoint } from "./breaking-point.ts";
import { soakClock, soakFaults } from "./faults.ts";
import { type Ending, judge } from "./judge.ts";
import { SteadyLoad } from "./load.ts";
import { picture } from "./picture.ts";
import { type Minute, Watch } from "./watch.ts";

const usage = `npm run soak -- [--minutes N] [--seed N] [--rate N] [--collect] [--json FILE] [--picture FILE]
  --minutes  how long, after the breaking point was found; default: 45. The first ten warm it up, and a slope takes ten
  --seed     the leads and the moments of the faults come from it; default: by chance, and printed
  --rate     leads a minute; default: three quarters of the breaking point
  --collect  has each process collect its garbage every minute. V8 lets it gather for longer than an hour: what grows in
             a soak that is no longer is garbage, too, and with this it is what is kept
  --json     writes each minute and the verdicts to a file, again every minute
  --picture  writes the curves as SVG`;

const tenant = "soak";
/** Of the breaking point. */
const loadShare = 0.75;
/** A fault strikes when a minute is so old: what came before it is seen without one. */
const strikeAfterMs = 5_000;
/** Until everything has ended when nothing more is sent. */
const quietMs = 600_000;
const megabyte = 2 ** 20;

const log = (line: string) => console.log(line);

process.exitCode = await main().catch((error: Error) => {
  console.error(error.message);
  return 2;
});
await stopServers();
process.exit();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "45" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000)) },
      rate: { type: "string" },
      collect: { type: "boolean", default: false },
      json: { type: "string" },
      picture: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    log(usage);
    return 0;
  }
  const wanted = whole("--minutes", values.minutes);
  const seed = whole("--seed", values.seed);
  const rate = values.rate === undefined ? undefined : whole("--rate", values.rate);
  const file = (path: string | undefined) => (path === undefined ? undefined : resolve(typedIn(), path));
  const [json, svg] = [file(values.json), file(values.picture)];

  await using world = await World.start({ clock: soakClock, cluster: false, build: true, log });
  await warmTenant(world.knex, tenant);
  const promised = join(homeDir(), "soak-promised");
  const load = new SteadyLoad(
    new Client(world.gateways, await world.apiKey(tenant), true),
    tenant,
    `${seed}`,
    promised,
  );
  using watch = new Watch(world, load);
  log(`seed ${seed}; looking for the breaking point`);
  const breaking = rate === undefined ? await breakingPoint(load, watch, log) : Number.NaN;
  load.perMinute = rate ?? breaking * loadShare;
  log(`${Math.round(load.perMinute)} leads a minute for ${wanted} minutes, a fault a minute`);

  const minutes: Minute[] = [];
  // What came before is not the first minute's.
  await watch.minute(0, 0, "", true);
  for (let n = 1; n <= wanted; n++) {
    const fault = soakFaults[(n - 1) % soakFaults.length]!;
    const began = Date.now();
    const striking = strike(fault, world, load, `${seed} ${n}`);
    const [struck] = await Promise.all([
      striking,
      delay(60_000),
      values.collect && striking.then(() => collect(world)),
    ]);
    const line = await watch.minute(n, (Date.now() - began) / 1_000, fault.what, struck);
    minutes.push(line);
    log(told(line));
    if (json)
      writeFileSync(json, `${JSON.stringify({ seed, breaking, perMinute: load.perMinute, minutes }, null, 1)}\n`);
  }

  await load.stop();
  const rows = judge(minutes, breaking, await ending(world, load, watch, promised));
  console.table(rows.map(({ figure, value, unit, goal, holds }) => ({ figure, value, unit, goal, holds })));
  if (json)
    writeFileSync(json, `${JSON.stringify({ seed, breaking, perMinute: load.perMinute, rows, minutes }, null, 1)}\n`);
  if (svg) writeFileSync(svg, picture(minutes));
  rmSync(promised, { force: true });
  return rows.every(({ holds }) => holds !== false) ? 0 : 1;
}

async function collect({ nodes }: World): Promise<void> {
  // One after another: each stands still for some 50 ms.
  for (const node of nodes.values()) await node.collect();
}

async function strike(fault: Fault, world: World, load: SteadyLoad, seed: string): Promise<true | string> {
  const act = new Act(world, load, seed, 0);
  await delay(strikeAfterMs);
  try {
    await fault.strike(act);
    await act.recovering();
  } catch (error) {
    return (error as Error).message;
  }
  const empty = act.evidence.find(({ inHand }) => inHand <= 0);
  return empty ? `${empty.what}: nothing was in hand` : true;
}

/** Waits until nothing moves, and proves conservation from the list of those that were answered 202. */
async function ending(world: World, load: SteadyLoad, watch: Watch, promised: string): Promise<Ending> {
  const moves = await world.quiet(quietMs);
  if (moves !== null) log(`not quiet after ${quietMs / 60_000} minutes: ${moves}`);
  await watch.settle(await load.takeAccepted());
  const { nats, names, settings } = world;
  const result = await audit({ nats, names, settings, tenant, accepted: listed(promised) });
  log(`audit: ${JSON.stringify({ ...result, broken: result.broken.length, tenants: undefined })}`);
  return {
    lost: [...new Set([...watch.open, ...result.broken])],
    deadLetters: result.dead,
    doubledMails: watch.doubledMails,
    conserved: result.ok,
    cameToRest: moves === null,
  };
}

async function* listed(file: string): AsyncGenerator<{ leadId: string; tenant: string }> {
  for await (const leadId of createInterface({ input: createReadStream(file) })) yield { leadId, tenant };
}

/** A minute as a line. */
function told(m: Minute): string {
  const memory = Object.entries(m.processes).map(
    ([name, { memoryBytes }]) => `${name} ${Math.round(memoryBytes / megabyte)}`,
  );
  const descriptors = Object.values(m.processes).reduce((sum, held) => sum + held.descriptors, 0);
  const streams = Object.values(m.streams).reduce((sum, { bytes }) => sum + bytes, 0);
  const times = (t: Minute["api"]) => (t === null ? "-" : `${t.average.toFixed(0)}/${t.p95.toFixed(0)}`);
  return [
    `${m.minute} min (${m.seconds.toFixed(0)} s): ${m.fault}${m.struck === true ? "" : ` [${m.struck}]`}`,
    `  ${m.accepted} of ${m.sent} answered 202, average/p95 ms: API ${times(m.api)}, end to end ${times(m.endToEnd)}`,
    `  accepted ${m.acceptedInAll} = ended ${m.endedInAll} + open ${m.open} (oldest ${m.oldestSeconds} s); e-mails ${m.mails}, twice ${m.doubledMails}`,
    `  MB: ${memory.join(", ")}; ${descriptors} descriptors; streams ${(streams / megabyte).toFixed(1)} MB, database ${(m.databaseBytes / megabyte).toFixed(0)} MB`,
  ].join("\n");
}

function whole(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`${name} ${text}: a whole number above 0 is expected\n${usage}`);
  return Number(text);
}
