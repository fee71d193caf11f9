import { atLeast, atMost, figure, type Row } from "../row.ts";
import { type Slope, slopeOf } from "./slope.ts";
import type { Held, Minute } from "./watch.ts";

const bench = "soak";
/** Minutes before the slopes begin: code is compiled, caches and pools fill. */
export const warmUpMinutes = 10;
/** Growth an hour that is no leak, as a share. */
const mostPerHour = 0.02;
/** What a server fills until it is as large as it was set is told, not judged; and faults start it anew. */
const servers = /^(nats\d?|postgres|redis)$/;

export interface Ending {
  /** Promised leads that the record, the streams and the dead letters do not account for, or that never ended. */
  lost: readonly string[];
  deadLetters: number;
  doubledMails: number;
  conserved: boolean;
  /** Nothing moved any more, and no e-mail that was due waited, within ten minutes of the last lead. */
  cameToRest: boolean;
}

/** Every slope against its limit, and what became of the leads. */
export function judge(minutes: readonly Minute[], breaking: number, ending: Ending): Row[] {
  const warm = minutes.slice(warmUpMinutes);
  const lived = lives(warm);
  const wanted = Object.keys(warm[0]?.processes ?? {}).filter((name) => !servers.test(name));
  const judged = wanted.filter((name) => slopeOf(memoryOf(lived.get(name)!)) !== null);
  const sum = (of: (minute: Minute) => number) => minutes.reduce((total, minute) => total + of(minute), 0);
  return [
    figure(bench, "breaking point", "leads/min", breaking),
    figure(bench, "minutes", "min", minutes.length),
    figure(
      bench,
      "leads sent",
      "leads",
      sum(({ sent }) => sent),
    ),
    atLeast(
      bench,
      "faults that met work in hand",
      "share",
      sum((m) => Number(m.struck === true)) / minutes.length,
      0.9,
    ),
    figure(bench, "requests answered 202, faults and all", "share", sum((m) => m.accepted) / sum((m) => m.sent)),
    atMost(bench, "leads lost", "leads", ending.conserved ? ending.lost.length : Math.max(1, ending.lost.length), 0),
    atLeast(bench, "came to rest within ten minutes", "share", Number(ending.cameToRest), 1),
    atMost(bench, "e-mails sent twice", "mails", ending.doubledMails, 0),
    atMost(bench, "dead letters", "leads", ending.deadLetters, 0),
    // One that has begun anew too lately has no slope; of a soak that is too short nothing has.
    atLeast(bench, "processes whose growth can be judged", "share", judged.length / Math.max(1, wanted.length), 1),
    ...growth(
      "p95 of the API",
      "slower an hour",
      seriesOf(warm, (m) => m.api?.p95),
      false,
    ),
    ...[...lived].flatMap(([name, life]) => [
      ...growth(`memory of ${name}`, "growth an hour", memoryOf(life), !servers.test(name)),
      ...growth(
        `descriptors of ${name}`,
        "growth an hour",
        life.map(([at, held]) => [at, held.descriptors] as const),
        !servers.test(name),
      ),
    ]),
  ];
}

function seriesOf(minutes: readonly Minute[], of: (minute: Minute) => number | undefined) {
  return minutes.flatMap((minute) => {
    const value = of(minute);
    return value === undefined ? [] : [[minute.minute, value] as const];
  });
}

const memoryOf = (life: readonly [minute: number, held: Held][]) =>
  life.map(([at, { memoryBytes }]) => [at, memoryBytes] as const);

/** What each process held while it was one and the same to the end; of one that was started anew, since then. */
function lives(minutes: readonly Minute[]): Map<string, [minute: number, held: Held][]> {
  const found = new Map<string, [number, Held][]>();
  for (const { minute, processes } of minutes)
    for (const [name, held] of Object.entries(processes)) {
      const before = found.get(name) ?? [];
      found.set(name, [...(before.at(-1)?.[1].pid === held.pid ? before : []), [minute, held]]);
    }
  return found;
}

/**
 * A slope as a row. It fails when it is above the limit by more than its own 95 % interval: in an hour the memory of a
 * collected heap moves up and down by more than the limit, and only a long soak tells a small leak from that.
 */
function growth(what: string, unit: string, points: readonly (readonly [number, number])[], isJudged: boolean): Row[] {
  const slope: Slope | null = slopeOf(points);
  if (slope === null) return [];
  const name = `${what}, over ${points.length} min, +- ${(slope.give * 100).toFixed(1)} %`;
  const row = figure(bench, name, unit, slope.perHour);
  if (!isJudged) return [row];
  return [{ ...row, goal: `<= ${mostPerHour}`, holds: slope.perHour - slope.give <= mostPerHour }];
}
