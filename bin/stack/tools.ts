import { execFile } from "node:child_process";
import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

export type Log = (line: string) => void;

/** Runs a command to its end; throws with its last words when it fails. */
export async function run(
  command: string,
  args: string[],
  env: Record<string, string> = {},
  options: { uid?: number; gid?: number; cwd?: string } = {},
): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, {
      ...options,
      env: { ...process.env, ...env },
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout + stderr;
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    const words = stderr.trim().split("\n").slice(-3).join(" / ") || message;
    throw new Error(`${command} ${args[0] ?? ""}: ${words}`, { cause: error });
  }
}

/** What a process of ours gets of our environment: where programs, homes and caches are; no stray option, no secret. */
export function childEnvironment(): Record<string, string> {
  const kept = ["PATH", "HOME", "TMPDIR", "TZ", "LANG", "SystemRoot", "NODE_COMPILE_CACHE"] as const;
  return Object.fromEntries(kept.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** All of our environment, for a process that stands in our place; `defaults` for what is not set in it. */
export const wholeEnvironment = (defaults: Record<string, string>): NodeJS.ProcessEnv => ({
  ...defaults,
  ...process.env,
});

/** The executable of this name on PATH. */
export function onPath(name: string): string | undefined {
  for (const dir of (process.env.PATH ?? "").split(delimiter)) {
    if (dir === "") continue;
    const file = join(dir, name);
    if (isExecutable(file)) return file;
  }
  return undefined;
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A folder of this user's that outlives checkouts, for what was fetched; `fallback` where the home cannot be written. */
export function cacheDir(fallback: string): string {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  for (const dir of [join(base, "leadfactory"), fallback]) {
    try {
      mkdirSync(dir, { recursive: true });
      accessSync(dir, constants.W_OK);
      return dir;
    } catch {
      // A home that is read-only, or none at all.
    }
  }
  throw new Error(`neither ${base} nor ${fallback} can be written`);
}

export const isRoot = process.getuid?.() === 0;

/** Installs Debian packages as root, without a question. False where there is no apt or we are not root. */
export async function aptInstall(packages: string[], log: Log): Promise<boolean> {
  if (!isRoot || !onPath("apt-get")) return false;
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "-y", "--no-install-recommends", ...packages];
  log(`installing Debian's ${packages.join(", ")}`);
  try {
    await run("apt-get", install, env);
  } catch {
    // A fresh machine has no package lists yet.
    await run("apt-get", ["update"], env);
    await run("apt-get", install, env);
  }
  return true;
}

/** What `find` finds; where it finds nothing, once more after this package of Debian's was installed. */
export async function findOrInstall(
  find: () => string | undefined,
  packageName: string,
  log: Log,
): Promise<string | undefined> {
  const found = find();
  if (found) return found;
  try {
    await aptInstall([packageName], log);
  } catch (error) {
    log(`Debian's ${packageName} could not be installed: ${(error as Error).message}`);
  }
  return find();
}
