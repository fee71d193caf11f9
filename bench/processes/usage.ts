import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** What a process and its children have used so far, and hold now. */
export interface Usage {
  cpuMs: number;
  /** Memory of its own; what its children share (PostgreSQL's buffers) is counted once. */
  memoryBytes: number;
  readBytes: number;
  writtenBytes: number;
  /** Open files, sockets and the like. */
  descriptors: number;
}

/** One look at all processes and the machine. */
export interface Sample {
  at: number;
  processes: Map<string, Usage>;
  /** Of all processors, with what is nobody's here. */
  busyMs: number;
  /** Bytes that went over the loopback: Linux does not count them by process. */
  loopbackBytes: number;
  /** Share of memory that is free or can be freed. */
  freeMemory: number;
}

/** USER_HZ is 100 on every Linux that Node runs on: proc(5) times are hundredths. */
const tickMs = 10;

/** Looks at processes by `/proc` at even distances. Where there is none (macOS) no process is found, and nothing is told. */
export class Sampler implements Disposable {
  readonly samples: Sample[] = [];
  readonly #pids: () => Iterable<[string, number]>;
  readonly #timer: NodeJS.Timeout;

  constructor(pids: () => Iterable<[string, number]>, everyMs = 1_000) {
    this.#pids = pids;
    this.look();
    this.#timer = setInterval(() => this.look(), everyMs);
  }

  look(): void {
    const processes = new Map<string, Usage>();
    const named = new Map(this.#pids());
    // A server that is told by its own name is none of its starter's children.
    const others = new Set(named.values());
    for (const [name, pid] of named) {
      const usage = usageOf(pid, others);
      if (usage) processes.set(name, usage);
    }
    this.samples.push({ at: Date.now(), processes, ...machine() });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** What was used from one moment (ms since 1970) to another, a second. */
export interface Load {
  /** Of one processor, by process. */
  cores: Map<string, number>;
  memoryBytes: Map<string, number>;
  readBytes: Map<string, number>;
  writtenBytes: Map<string, number>;
  /** Of all processors. */
  busy: number;
  loopbackBytes: number;
  freeMemory: number;
}

export function loadBetween(samples: readonly Sample[], from: number, to: number): Load {
  const within = samples.filter(({ at }) => at >= from && at <= to);
  const [first, last] = [within[0], within.at(-1)];
  const seconds = first && last ? (last.at - first.at) / 1_000 : 0;
  const load: Load = {
    ...{ cores: new Map(), memoryBytes: new Map(), readBytes: new Map(), writtenBytes: new Map() },
    ...{ busy: 0, loopbackBytes: 0, freeMemory: last?.freeMemory ?? 1 },
  };
  if (!first || !last || seconds <= 0) return load;
  for (const [name, { cpuMs, memoryBytes, readBytes, writtenBytes }] of last.processes) {
    const before = first.processes.get(name);
    if (!before) continue;
    load.cores.set(name, (cpuMs - before.cpuMs) / 1_000 / seconds);
    load.memoryBytes.set(name, memoryBytes);
    load.readBytes.set(name, (readBytes - before.readBytes) / seconds);
    load.writtenBytes.set(name, (writtenBytes - before.writtenBytes) / seconds);
  }
  load.busy = (last.busyMs - first.busyMs) / 1_000 / seconds / availableParallelism();
  load.loopbackBytes = (last.loopbackBytes - first.loopbackBytes) / seconds;
  return load;
}

function usageOf(pid: number, others: ReadonlySet<number>): Usage | undefined {
  const own = processUsage(pid, true);
  if (!own) return undefined;
  const children = childrenOf(pid, others).flatMap((child) => processUsage(child, false) ?? []);
  const sum = (of: (usage: Counted) => number) => [own, ...children].reduce((total, one) => total + of(one), 0);
  return {
    cpuMs: sum((one) => one.cpuMs),
    memoryBytes: sum((one) => one.ownBytes) + Math.max(...[own, ...children].map((one) => one.sharedBytes)),
    readBytes: sum((one) => one.readBytes),
    writtenBytes: sum((one) => one.writtenBytes),
    descriptors: sum((one) => one.descriptors),
  };
}

interface Counted {
  cpuMs: number;
  ownBytes: number;
  sharedBytes: number;
  readBytes: number;
  writtenBytes: number;
  descriptors: number;
}

/** `withDead`: with what children used that have ended. */
function processUsage(pid: number, withDead: boolean): Counted | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name in brackets may hold spaces and brackets: fields count from the last one (proc_pid_stat(5)).
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 15)
    .map(Number);
  const status = read(`/proc/${pid}/status`) ?? "";
  const io = read(`/proc/${pid}/io`) ?? "";
  return {
    cpuMs: (utime + stime + (withDead ? cutime + cstime : 0)) * tickMs,
    ownBytes: numberOf(status, "RssAnon") * 1_024,
    sharedBytes: (numberOf(status, "RssFile") + numberOf(status, "RssShmem")) * 1_024,
    readBytes: numberOf(io, "read_bytes"),
    writtenBytes: numberOf(io, "write_bytes"),
    descriptors: descriptorsOf(pid),
  };
}

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0; // Gone, or not ours to read.
  }
}

function childrenOf(pid: number, others: ReadonlySet<number>): number[] {
  const all = (read(`/proc/${pid}/task/${pid}/children`) ?? "").split(" ").filter(Boolean).map(Number);
  const children = all.filter((child) => !others.has(child));
  return [...children, ...children.flatMap((child) => childrenOf(child, others))];
}

function machine(): Omit<Sample, "at" | "processes"> {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (read("/proc/stat") ?? "")
    .split("\n", 1)[0]!
    .split(/\s+/)
    .map(Number);
  const lo = /^\s*lo:\s*(.*)$/m.exec(read("/proc/net/dev") ?? "")?.[1] ?? "";
  const memory = read("/proc/meminfo") ?? "";
  return {
    busyMs: (user + nice + system + irq + softirq) * tickMs,
    // What is received there is what was sent.
    loopbackBytes: Number(lo.split(/\s+/)[0] || 0),
    freeMemory: numberOf(memory, "MemAvailable") / (numberOf(memory, "MemTotal") || 1),
  };
}

function numberOf(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined; // Gone, or not ours to read.
  }
}
