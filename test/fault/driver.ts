import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { jsApi } from "../../mixins/jetstream.ts";
import { Act, type RowAct } from "./act.ts";
import type { Sample } from "./client.ts";
import { isSlower } from "./judge.ts";
import { Load } from "./load.ts";
import { warmTenant } from "./proof.sql.ts";
import { type Proof, prove } from "./proof.ts";
import type { Path, Row } from "./rows.ts";
import type { World } from "./world.ts";

export interface RunOptions {
  seed: number;
  leads: number;
  /** Until the mesh must be quiet after everything has been sent in, ms. */
  quietMs?: number;
  log(line: string): void;
}

/** A line of the table. */
export interface Result {
  fault: string;
  what: string;
  leads: number;
  lost: number;
  doubled: number;
  /** Dead letters that were no poison. */
  dead: number;
  /** Of the paths that must stand: the worst, in per cent. Null where none must. */
  availability: number | null;
  /** From the end of the fault to the end of the first live lead that was taken in after it, or to the last wrong answer. */
  recoverSeconds: number | null;
  holds: boolean;
  /** Why not. */
  why: string[];
  seed: number;
  details: {
    inHand: string[];
    paths: Record<Path, number>;
    requests: number;
    p95BeforeMs: number;
    p95DuringMs: number;
    redeliveries: number;
    unknownMails: number;
    repeatedCalls: number;
    mails: number;
    merges: number;
    seconds: number;
  };
}

const usualQuietMs = 240_000;
/** A recovery that takes longer is none. */
const recoverLimitS = 300;
const available = 99.9;
/** What is answered so long after the end of a fault may have met it, ms. */
const afterMs = 1_000;
/** How often it is looked whether an import is still under way. */
const busyEveryMs = 500;

let rounds = 0;

/** A row that has not come to its end by then never will, ms. */
const rowLimitMs = 30 * 60_000;

/** One row: load -> strike -> heal -> quiet -> prove -> judge. Never throws: what goes wrong is a row that does not hold. */
export function runRow(world: World, row: Row, options: RunOptions): Promise<Result> {
  return tryRow(world, row, options).catch((error: Error) => unfinished(row, options.seed, error.message));
}

async function tryRow(
  world: World,
  row: Row,
  { seed, leads: wanted, quietMs = usualQuietMs, log }: RunOptions,
): Promise<Result> {
  const began = Date.now();
  const leads = wanted * (row.leads ?? 1);
  const tenant = `${row.name.slice(0, 22)}-${(rounds++).toString(36)}`;
  log(`${row.name}: ${row.what}`);
  await warmTenant(world.knex, tenant);
  world.box.received.length = 0;
  world.pagespeed.answers.length = 0;
  const redelivered = await world.redeliveries();
  const crashesBefore = crashesOf(world);
  const deadBefore = await lastOf(world, world.names.dead.stream);
  const load = await Load.begin(world, tenant, `${seed} ${row.name}`, leads);
  const act = new Act(world, load, `${seed} ${row.name}`, leads);
  const why: string[] = [];
  act.deadBefore = deadBefore;
  let proof: Proof | undefined;
  let moves: string | null = null;
  let repeats = 0;
  const late = Promise.withResolvers<never>();
  const limit = setTimeout(() => late.reject(new Error(`no end after ${rowLimitMs / 60_000} minutes`)), rowLimitMs);
  const play = async () => {
    if (!row.early) await act.underWay();
    if (row.slower === undefined) await act.suffer(row);
    else await sufferAtWork(act, row);
    await load.finish();
    moves = await world.quiet(quietMs);
    if (moves !== null) why.push(`not quiet: ${moves}`);
    proof = await prove(act);
    for (const more of act.proofs) why.push(...(await more()));
    repeats = (await world.redeliveries()) - redelivered;
  };
  try {
    await Promise.race([play(), late.promise]);
  } catch (error) {
    why.push((error as Error).message);
    await load.abandon();
  } finally {
    clearTimeout(limit);
  }
  const crashes = crashesOf(world) - crashesBefore;
  const seconds = (Date.now() - began) / 1_000;
  return judge(row, act, { proof, why, isQuiet: moves === null, repeats, crashes, seed, seconds });
}

/** The same with an import under way all the while, and for as long before: what answers take is told by the fault alone. */
async function sufferAtWork(act: RowAct, row: Row): Promise<void> {
  const { load, world } = act;
  await load.keepBusy();
  await act.until("the import is stored", async () => load.importDone);
  const over = new AbortController();
  const { signal } = over;
  const busy = (async () => {
    for (; !signal.aborted; await delay(busyEveryMs, undefined, { signal }).catch(() => {})) await load.keepBusy();
  })();
  // Told when it is awaited.
  busy.catch(() => {});
  try {
    await delay(world.clock.freezeMs + afterMs);
    await act.suffer(row);
  } finally {
    over.abort();
    await busy;
  }
}

/** How often a process of PostgreSQL died by a fault of its own: all its sessions end with it. None that the driver kills says so. */
function crashesOf({ postgres }: World): number {
  return readFileSync(`${postgres.dataDir}.log`, "utf8").match(/was terminated by signal/g)?.length ?? 0;
}

async function lastOf({ nats }: World, stream: string): Promise<number> {
  return (await jsApi(nats, `STREAM.INFO.${stream}`)).state.last_seq;
}

/** A row that could not even begin, and why. */
export function unfinished({ name, what }: Row, seed: number, why: string): Result {
  const { NaN: unknown } = Number;
  return {
    ...{ fault: name, what, leads: 0, lost: unknown, doubled: unknown, dead: unknown, availability: null },
    ...{ recoverSeconds: null, holds: false, why: [why], seed },
    details: {
      ...{ inHand: [], paths: { takeIn: 0, lookUp: 0, through: 0 }, requests: 0, p95BeforeMs: 0, p95DuringMs: 0 },
      ...{ redeliveries: 0, unknownMails: 0, repeatedCalls: 0, mails: 0, merges: 0, seconds: 0 },
    },
  };
}

interface Outcome {
  proof: Proof | undefined;
  why: string[];
  /** Has everything come to its end? Else what seems to be lost may only be late. */
  isQuiet: boolean;
  repeats: number;
  crashes: number;
  seed: number;
  seconds: number;
}

function judge(row: Row, act: RowAct, { proof, why: met, isQuiet, repeats, crashes, seed, seconds }: Outcome): Result {
  const { load } = act;
  const paths = pathsOf(act, proof);
  const recoverSeconds = recoveryOf(act, proof);
  const until = act.healedAt + afterMs;
  const [p95BeforeMs, p95DuringMs] = [
    p95(load.client.samples, 2 * act.struckAt - until, act.struckAt),
    p95(load.client.samples, act.struckAt, until),
  ];
  const worst = row.stands.length === 0 ? null : Math.min(...row.stands.map((path) => paths[path]));

  const say = (what: string, things: readonly string[] = []) =>
    things.length > 0 ? [`${things.length} ${what}: ${things.slice(0, 3).join("; ")}`] : [];
  const lost = say("lost", proof?.lost);
  // What cannot be for lack of time comes first: bin/test/counts.ts goes by it.
  const why = [...say("doubled", proof?.doubled), ...say("dead letters", proof?.dead)];
  if (row.noRepeats && repeats > 0) why.push(`${repeats} messages were delivered again`);
  why.push(...(isQuiet ? [...lost, ...met] : [...met, ...lost]));
  if (act.evidence.length === 0) why.push("the fault never struck");
  for (const { what, inHand } of act.evidence)
    if (!(inHand > 0)) why.push(`${what}: nothing was in hand when the fault struck`);
  if (worst !== null && worst < available)
    why.push(
      `available ${worst} %: ${[...new Set(load.client.samples.flatMap(({ fault }) => fault ?? []))].slice(0, 3).join("; ")}`,
    );
  if (recoverSeconds === null || recoverSeconds > recoverLimitS) why.push(`recovered after ${recoverSeconds} s`);
  if (row.slower !== undefined && isSlower(p95BeforeMs, p95DuringMs, row.slower))
    why.push(`p95 ${p95DuringMs} ms, it was ${p95BeforeMs} ms`);
  if (why.length > 0 && crashes > 0) why.push(`and PostgreSQL crashed by itself, ${crashes} times: its log says more`);

  return {
    fault: row.name,
    what: row.what,
    leads: proof?.accepted ?? load.promised.size,
    lost: proof?.lost.length ?? Number.NaN,
    doubled: proof?.doubled.length ?? Number.NaN,
    dead: proof?.dead.length ?? Number.NaN,
    availability: worst,
    recoverSeconds,
    holds: why.length === 0,
    why,
    seed,
    details: {
      inHand: act.evidence.map(({ what, inHand }) => `${what} ${inHand}`),
      paths,
      requests: load.client.samples.length,
      p95BeforeMs,
      p95DuringMs,
      redeliveries: repeats,
      unknownMails: proof?.unknown ?? 0,
      repeatedCalls: proof?.repeatedCalls ?? 0,
      mails: proof?.mails ?? 0,
      merges: proof?.merges ?? 0,
      seconds: Math.round(seconds),
    },
  };
}

/** In per cent. `through`: live leads that reached their end, and within the limit of a recovery. */
function pathsOf({ load }: RowAct, proof: Proof | undefined): Record<Path, number> {
  const share = (good: number, of: number) => (of === 0 ? 0 : Math.floor((good / of) * 100_000) / 1_000);
  const answered = (path: Sample["path"]) => {
    const samples = load.client.samples.filter((sample) => sample.path === path);
    return share(samples.filter(({ ok }) => ok).length, samples.length);
  };
  const inTime = load.live.filter(
    ({ leadId, at }) => (proof?.endedAt.get(leadId) ?? Number.POSITIVE_INFINITY) - at < recoverLimitS * 1_000,
  );
  return { takeIn: answered("takeIn"), lookUp: answered("lookUp"), through: share(inTime.length, load.live.length) };
}

function recoveryOf({ load, healedAt }: RowAct, proof: Proof | undefined): number | null {
  if (!proof || healedAt === 0) return null;
  const ends = load.live.filter(({ at }) => at >= healedAt).flatMap(({ leadId }) => proof.endedAt.get(leadId) ?? []);
  if (ends.length === 0) return null;
  const wrong = load.client.samples.filter(({ ok }) => !ok).map(({ at, ms }) => at + ms);
  return Math.round((Math.max(healedAt, Math.min(...ends), ...wrong) - healedAt) / 100) / 10;
}

/** Of requests that were sent from then on, and before then. */
function p95(samples: readonly Sample[], from: number, to: number): number {
  const sorted = samples.flatMap(({ at, ms }) => (at >= from && at < to ? ms : [])).sort((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length * 0.95)] ?? 0);
}
