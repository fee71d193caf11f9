import { fstatSync, ftruncateSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Throws where refused rows would go over what is none of theirs: the file that is imported, or, unless `isOurs` (an
 * earlier run's, or to be begun anew), one that holds something.
 */
export function checkRefusedFile(refusedFile: string, file: string, isOurs: boolean): void {
  const there = statSync(refusedFile, { bigint: true, throwIfNoEntry: false });
  if (!there) return;
  const { dev, ino } = statSync(file, { bigint: true });
  if (there.dev === dev && there.ino === ino) throw new Error(`--refused ${refusedFile} is the file itself`);
  if (there.size > 0n && !isOurs)
    throw new Error(`--refused ${refusedFile} is not empty: name another, or have it overwritten with --restart`);
}

/** Opens the file to write behind its first `bytes`; what a kill left behind them is cut off. Where it is shorter, behind its end. */
export function openRefusedFile(refusedFile: string, bytes: number): { fd: number; bytes: number } {
  mkdirSync(dirname(refusedFile), { recursive: true });
  const fd = openSync(refusedFile, "a");
  const kept = Math.min(bytes, fstatSync(fd).size);
  ftruncateSync(fd, kept);
  return { fd, bytes: kept };
}
