import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

/**
 * Lets others go first on processors that are scarce. `niceness`: 0 to 19, for all threads of this process; one that was
 * started with as much, or more, keeps it. Where Linux shares its processors among sessions whatever their processes'
 * niceness (autogroups, sched(7)) a process that leads its session says so for that, too: it has it for itself.
 */
export function giveWay(niceness: number): void {
  // To take back what its starter gave away is not for everybody.
  if (getPriority() >= niceness) return;
  setPriority(niceness);
  if (process.platform !== "linux") return;
  for (const thread of readdirSync("/proc/self/task")) {
    try {
      setPriority(Number(thread), niceness);
    } catch {
      // It has ended meanwhile.
    }
  }
  if (sessionOf(readFileSync("/proc/self/stat", "latin1")) === process.pid) void lowerSession(niceness);
}

/** Of all processes without privileges one may do so in a tenth of a second: the others are told to come again. */
async function lowerSession(niceness: number): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    try {
      writeFileSync("/proc/self/autogroup", String(niceness));
      return;
    } catch (error) {
      // No such thing here, or not ours to set: the threads' own niceness stands.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      await delay(100 + Math.random() * 100);
    }
  }
}

/** The sixth field of `/proc/<pid>/stat`; the second one is a name in brackets that may hold anything. proc_pid_stat(5) */
function sessionOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]);
}
