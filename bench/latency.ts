import { type LoadGenerator, loadGenerator } from "./latency/load.ts";
import { stepRows } from "./latency/step-rows.ts";
import { brokenBy, mostErrors, type Place, resourceOf, type Step, step } from "./latency/steps.ts";
import { startProcessMesh } from "./processes/mesh.ts";
import { Sampler } from "./processes/usage.ts";
import { atMost, type Bench, type BenchOptions, figure, mostUnread, type Row } from "./row.ts";
import { startWorld, type World } from "./world/world.ts";

const bench = "latency";
const tenant = "bench";
/** Leads a minute: the first is "1x". */
const rates = [100, 200, 500, 1_000, 1_500, 10_000];
/** The mesh must have broken before this; what sends shares its machine. */
const mostAMinute = 1_000_000;
/** How much later a tenth and a hundred times the load may make an answer. */
const tolerated = 1.2;
/** How long after an overload the figures may take to be those of 1x again. */
const recoveredWithinSeconds = 60;

/**
 * Live leads at constant rates until the mesh breaks, twice that for a minute, and back: the API's answer, and end to end
 * by the record. The mesh is three processes, the API and one a lane, as `npm start` runs them; servers, web sites, PageSpeed and load
 * generator share the machine with them.
 */
export const run: Bench = async (options) => {
  const generator = loadGenerator();
  options.log(`the load comes from ${generator.name}`);
  const rows: Row[] = [];
  for (const delayMs of [0, 200]) rows.push(...(await measured(delayMs, generator, options)));
  return rows;
};

async function measured(delayMs: number, generator: LoadGenerator, { short, log }: BenchOptions): Promise<Row[]> {
  const seconds = short ? 5 : 60;
  const what = `providers at ${delayMs} ms`;
  await using world = await startWorld(delayMs);
  await using mesh = await startProcessMesh({ env: world.env });
  using sampler = new Sampler(() => pidsOf(mesh.pids(), world));
  const place: Place = { mesh, generator, sampler, tenant, key: await mesh.key(tenant) };
  /** Ids of all leads that were answered 202. */
  const promised = new Set<string>();
  const load = async (perMinute: number, forSeconds: number, drains = true) => {
    const done = await step(place, perMinute, forSeconds, drains);
    for (const id of done.accepted) promised.add(id);
    const { api, endToEnd, errors } = done;
    log(
      `${what}, ${perMinute} a minute: API p95 ${api.p95.toFixed(1)} ms, end to end p95 ${Math.round(endToEnd.p95)} ms, ${(errors * 100).toFixed(2)} % errors`,
    );
    return done;
  };
  // The first leads find nothing compiled and no connection open.
  await load(1_500, short ? 2 : 20);

  const steps: Step[] = [];
  let broken: string | undefined;
  for (let n = 0; broken === undefined; n++) {
    const perMinute = rates[n] ?? rates.at(-1)! * 2 ** (n - rates.length + 1);
    if (perMinute > mostAMinute) break;
    // A rate above all that was asked for is held for half as long: it is looked for where it breaks.
    const held = await load(perMinute, n < rates.length ? seconds : seconds / 2);
    steps.push(held);
    // Those that were asked for are all measured.
    if (perMinute >= rates.at(-1)! || held.errors >= 0.5) broken = brokenBy(held);
  }
  const [first, last] = [steps[0]!, steps.at(-1)!];
  if (broken !== undefined) log(`${what}: broken at ${last.perMinute} a minute by ${broken}: ${resourceOf(last)}`);
  const name = (text: string) => `${text}, ${what}, by ${generator.name}`;
  const least = steps.find((one) => brokenBy(one) !== undefined);
  return [
    ...steps.flatMap((one) => stepRows(bench, name, one, generator)),
    ...[1_000, 10_000].flatMap((perMinute) =>
      goals(
        name,
        first,
        steps.find((one) => one.perMinute === perMinute),
      ),
    ),
    figure(
      bench,
      name(`breaking point${least ? `: ${brokenBy(least)}; used up: ${resourceOf(least)}` : " not reached"}`),
      "leads/min",
      (least ?? last).perMinute,
    ),
    ...(await recovery(name, first, (least ?? last).perMinute, { load, short })),
    ...(await conservation(name, place, promised)),
  ];
}

function* pidsOf(pids: Map<string, number>, world: World): Generator<[string, number]> {
  yield* pids;
  yield ["world", world.pid];
  yield ["load generator", process.pid];
}

/** Ten and a hundred times the load against once. */
function goals(name: (text: string) => string, first: Step, held: Step | undefined): Row[] {
  if (!held) return [];
  const times = `${held.perMinute / first.perMinute}x / 1x`;
  return [
    atMost(bench, name(`API average, ${times}`), "ratio", held.api.average / first.api.average, tolerated),
    atMost(bench, name(`API p95, ${times}`), "ratio", held.api.p95 / first.api.p95, tolerated),
    atMost(
      bench,
      name(`end-to-end average, ${times}`),
      "ratio",
      held.endToEnd.average / first.endToEnd.average,
      tolerated,
    ),
    atMost(bench, name(`end-to-end p95, ${times}`), "ratio", held.endToEnd.p95 / first.endToEnd.p95, tolerated),
    atMost(bench, name(`errors, ${times}`), "share", held.errors, mostErrors),
    atMost(
      bench,
      name(`sites not read or not measured, ${times}`),
      "share",
      Math.max(held.unread, first.unread),
      mostUnread,
    ),
  ];
}

/** Twice what broke it, for a minute; then once, until the figures are as they were. */
async function recovery(
  name: (text: string) => string,
  first: Step,
  breaking: number,
  { load, short }: { load(perMinute: number, seconds: number, drains?: boolean): Promise<Step>; short: boolean },
): Promise<Row[]> {
  await load(breaking * 2, short ? 5 : 60, false);
  const since = performance.now();
  const passed = () => (performance.now() - since) / 1_000;
  const isBack = ({ api, endToEnd, behind }: Step) =>
    behind <= 0.1 && api.p95 <= first.api.p95 * tolerated && endToEnd.p95 <= first.endToEnd.p95 * tolerated;
  for (;;) {
    const began = passed();
    const held = await load(first.perMinute, short ? 5 : 10, false);
    const back = isBack(held);
    if (back || passed() > recoveredWithinSeconds * 3)
      return [
        atMost(
          bench,
          name(`until 1x again after twice the breaking point${back ? "" : ", and still not"}`),
          "s",
          back ? began : passed(),
          recoveredWithinSeconds,
        ),
      ];
  }
}

/** Each lead that was answered 202 is looked for by its id: one whose answer came too late for the sender makes up for none. */
async function conservation(
  name: (text: string) => string,
  { mesh }: Place,
  promised: ReadonlySet<string>,
): Promise<Row[]> {
  const { broken, ok, dead } = await mesh.audit(tenant, [...promised]);
  return [
    figure(bench, name("leads answered 202"), "leads", promised.size),
    atMost(
      bench,
      name("leads that are nowhere, or not where their state says"),
      "leads",
      ok ? broken.length : Math.max(1, broken.length),
      0,
    ),
    atMost(bench, name("dead letters"), "leads", dead, 0),
  ];
}
