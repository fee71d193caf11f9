import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { birthOf, isRunning, type ProcessRecord } from "./process.ts";

/** `.stack/state.json`: all that another command needs to join, to stop, or to clean up after a kill. */
export interface State {
  phase: "starting" | "sample" | "up" | "stopped";
  apiUrl?: string;
  /** The mesh's settings, by their names. */
  env: Record<string, string>;
  /** Every process that was started and not seen to end. */
  processes: ProcessRecord[];
  /** Port of each server, so that the next start takes the same. */
  ports: Record<string, number>;
  /** Where each server's data lie, also while it is stopped: as root PostgreSQL's are outside the checkout. */
  dataDirs: Record<string, string>;
}

export const emptyState: State = { phase: "stopped", env: {}, processes: [], ports: {}, dataDirs: {} };

/** The state on disk; the empty one where there is none. A file cut short cannot be: it is replaced in one step. */
export function readState(dir: string): State {
  try {
    return { ...emptyState, ...(JSON.parse(readFileSync(join(dir, "state.json"), "utf8")) as Partial<State>) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return emptyState;
    throw new Error(`${join(dir, "state.json")} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Replaces the state. For its owner's eyes: it holds the database's password. */
export function writeState(dir: string, state: State): void {
  const file = join(dir, "state.json");
  const next = `${file}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(next, file);
}

/** The `npm start` that has the folder now. */
export function ownerOf(dir: string): { pid: number; birth: string } | undefined {
  const [pid, birth] = readHolder(join(dir, "lock")).split(" ");
  const owner = birth === undefined ? undefined : { pid: Number(pid), birth };
  return owner && isRunning(owner) ? owner : undefined;
}

/** Makes the folder, and refuses one of another user: half of the data would be out of reach, or belong to two. */
export function claimFolder(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const owner = statSync(dir).uid;
  const me = process.getuid?.() ?? owner;
  if (owner !== me) {
    throw new Error(
      `${dir} belongs to user ${owner} and you are user ${me}: start as that user, or remove it with all its data, ` +
        "or give another folder with --dir",
    );
  }
  accessSync(dir, constants.W_OK);
}

/**
 * Lets one starter at a time into the folder. Returns how to leave, or undefined when another is in.
 * A lock whose holder is gone is taken over; of two that do so at once the one whose name stands in it has it.
 */
export async function enter(dir: string): Promise<(() => void) | undefined> {
  const file = join(dir, "lock");
  const me = `${process.pid} ${birthOf(process.pid)}`;
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      const handle = openSync(file, "wx", 0o600);
      writeSync(handle, me);
      closeSync(handle);
      await delay(30);
      if (readHolder(file) === me) return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (ownerOf(dir)) return undefined;
    // Empty for the moment between its making and its writing.
    if (readHolder(file) === "") await delay(30);
    else rmSync(file, { force: true });
  }
  rmSync(file, { force: true });
  return enter(dir);
}

function readHolder(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
