import type { Sample } from "../processes/usage.ts";
import { atMost, figure, type Row } from "../row.ts";

const bench = "memory";
/** What the last quarter of the leads may take more than the second did. */
const most = 1.1;

/** What each process held while the second and while the last quarter of the leads ended. One that is gone by then fails. */
export function growthRows(second: readonly Sample[], last: readonly Sample[]): Row[] {
  const names = new Set([...second, ...last].flatMap(({ processes }) => [...processes.keys()]));
  return [...names].flatMap((name) => {
    const [before, after] = [meanOf(name, second), meanOf(name, last)];
    const then = figure(bench, `${name}, second quarter`, "MB", before / 2 ** 20);
    const share = `${name}, last quarter / second`;
    // Its buffers, which all of its processes share, fill with the record until they are as large as they were set.
    if (name === "postgres") return [then, figure(bench, share, "ratio", after / before)];
    return [then, atMost(bench, share, "ratio", after / before, most)];
  });
}

/** Of a process that is in none of them, or is not in all: NaN. */
function meanOf(name: string, samples: readonly Sample[]): number {
  const sizes = samples.map(({ processes }) => processes.get(name)?.memoryBytes ?? Number.NaN);
  return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
}
