import { join } from "node:path";
import { end, findMarked, isRunning, type ProcessRecord } from "./process.ts";
import { holderOf } from "./server.ts";
import type { State } from "./state.ts";
import type { Log } from "./tools.ts";

const serverNames = ["nats", "redis", "postgres"];
/** How long a server may take to close its files. */
const serverGraceMs = 20_000;

/** What of a stack still runs: what its state lists, what bears its mark, what holds its data. Each once. */
export function running(dir: string, state: State): ProcessRecord[] {
  const dataDirs = new Map(serverNames.map((name) => [name, join(dir, name)]));
  for (const { name, dataDir } of state.processes) if (dataDir && dataDirs.has(name)) dataDirs.set(name, dataDir);
  const holders = [...dataDirs].flatMap(([name, dataDir]) => holderOf(name, dataDir) ?? []);
  const found = new Map<number, ProcessRecord>();
  for (const record of [...state.processes, ...holders, ...findMarked(dir)])
    if (isRunning(record) && !found.has(record.pid)) found.set(record.pid, record);
  return [...found.values()];
}

/** Ends processes in order: the gateways, so that nothing new is taken in; the other services; then what they stand on. */
export async function endAll(processes: ProcessRecord[], drainMs: number, log: Log): Promise<void> {
  const isServer = ({ name }: ProcessRecord) => serverNames.includes(name);
  const isGateway = ({ name }: ProcessRecord) => name === "gateway";
  const groups = [
    processes.filter(isGateway),
    processes.filter((record) => !isGateway(record) && !isServer(record)),
    processes.filter(isServer),
  ];
  for (const [at, group] of groups.entries()) {
    const graceMs = at === 2 ? serverGraceMs : drainMs + 2_000;
    await Promise.all(
      group.map(async (record) => {
        const how = await end(record, graceMs, record.stopSignal);
        if (how !== "was not running")
          log(`${record.name} (${record.pid}) ${how === "killed" ? "had to be killed" : "ended"}`);
      }),
    );
  }
}
