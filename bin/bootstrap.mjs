/**
 * The first step of every command: plain JavaScript that any Node from 18 on can run. Installs what package-lock.json
 * says when it is missing, out of date or half there, and hands over to the Node 24 that comes with it, which runs
 * bin/<command>.ts as it is. Asks nothing.
 */
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, mkdirSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { constants as system } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const commands = {
  start: "bin/start.ts",
  stop: "bin/stop.ts",
  test: "bin/test.ts",
  repl: "bin/repl.ts",
  import: "bin/import.ts",
  key: "bin/key.ts",
  audit: "bin/audit.ts",
  budget: "bin/budget.ts",
  "mail:preview": "bin/mail-preview.ts",
  bench: "bench/run.ts",
  "test:fault": "test/fault/run.ts",
  soak: "bench/soak/run.ts",
  dashboards: "bin/dashboards.ts",
  "dedupe:report": "bin/dedupe-report.ts",
};

/** Longest that an installation by another process is waited for, ms. */
const installDeadlineMs = 15 * 60_000;

const [, , command, ...args] = process.argv;
const script = commands[command];
if (script === undefined) {
  console.error(`usage: node bin/bootstrap.mjs ${Object.keys(commands).join(" | ")} [arguments]`);
  process.exit(2);
}
try {
  if (!isInstalled()) await install();
  process.exitCode = await handOver(nodeToRun());
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

/** Does node_modules hold what package-lock.json says? npm writes its own list of what it installed last of all. */
function isInstalled() {
  let wanted;
  let installed;
  try {
    wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    installed = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")).packages;
  } catch {
    return false;
  }
  const same = Object.entries(wanted).every(([path, { version, integrity, optional, peer }]) => {
    if (path === "") return true;
    const found = installed[path];
    // What is optional is for other machines, or not for this one.
    if (!found) return optional === true || peer === true;
    return found.version === version && found.integrity === integrity;
  });
  return same && Object.keys(installed).every((path) => wanted[path]) && ownNode() !== undefined;
}

async function install() {
  let stack;
  try {
    stack = stackFolder();
    accessSync(root, constants.W_OK);
  } catch (error) {
    throw new Error(`${root} cannot be written by this user, and its packages are not installed: ${error.message}`);
  }
  const release = await lock(join(stack, "install.lock"));
  try {
    if (isInstalled()) return;
    console.log("installing packages (npm ci)");
    // Whatever is cut short from here on is seen to be so.
    rmSync(join(modules, ".package-lock.json"), { force: true });
    const flags = ["--include=dev", "--include=optional", "--ignore-scripts=false", "--engine-strict=false"];
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    // A second try with a cache of our own: the user's may be read-only, or broken.
    const ownCache = ["--cache", join(stack, "npm-cache")];
    if (!npm(["ci", ...flags, ...quiet]) && !npm(["ci", ...flags, ...quiet, ...ownCache])) {
      throw new Error("npm could not install the packages: what it said stands above");
    }
    if (ownNode() === undefined) npm(["rebuild", "node", "--ignore-scripts=false", ...quiet]);
  } finally {
    release();
  }
}

function stackFolder() {
  const folder = join(root, ".stack");
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  return folder;
}

function npm(flags) {
  const own = process.env.npm_execpath;
  const isNpm = own !== undefined && /npm-cli\.[cm]?js$/.test(own);
  const [file, first] = isNpm ? [process.execPath, [own]] : ["npm", []];
  const { NODE_ENV: _, ...env } = process.env;
  const { status, error } = spawnSync(file, [...first, ...flags], { cwd: root, stdio: ["ignore", 2, 2], env });
  if (error) throw new Error(`npm cannot be run: ${error.message}`);
  return status === 0;
}

/** One installation at a time. A lock whose holder is gone, or that is older than any installation, is nobody's. */
async function lock(file) {
  const deadline = Date.now() + installDeadlineMs;
  let said = false;
  for (;;) {
    try {
      const handle = openSync(file, "wx");
      writeSync(handle, `${process.pid} ${birthOf(process.pid)}`);
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (Date.now() > deadline || isStale(file)) rmSync(file, { force: true });
    else {
      if (!said) console.log("waiting for another installation to end");
      said = true;
      await delay(300);
    }
  }
}

function isStale(file) {
  try {
    const [holder, birth] = readFileSync(file, "utf8").split(" ");
    const age = Date.now() - statSync(file).mtimeMs;
    // Empty for the moment between its making and its writing.
    if (holder === "") return age > 5_000;
    const found = birthOf(holder);
    if (found !== "" && found !== birth) return true;
    process.kill(Number(holder), 0);
    return age > installDeadlineMs;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

/**
 * When a process began, as in bin/stack/process.ts: after a reboot, and in each run of a container, others have the same
 * pids. "" where the system does not say.
 */
function birthOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").slice(0, 8);
    return `${boot}:${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return "";
  }
}

/** The Node that the package `node` brought. */
function ownNode() {
  const file = join(modules, "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  try {
    accessSync(file, constants.X_OK);
    return file;
  } catch {
    return undefined;
  }
}

/** Its own where it is there; else this one, when it reads TypeScript. */
function nodeToRun() {
  const own = ownNode();
  if (own !== undefined) return own;
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18)) return process.execPath;
  throw new Error(
    `Node ${process.versions.node} reads no TypeScript, and the package "node" brought no newer one for ` +
      `${process.platform}-${process.arch}: install Node 24 and try again`,
  );
}

/** Runs the command's TypeScript, its terminal and its signals passed on. Resolves with its exit code. */
function handOver(node) {
  return new Promise((resolve, reject) => {
    const env = {
      // What Node has read and compiled once, it and the processes that it starts need not again: half of their start.
      NODE_COMPILE_CACHE: join(root, ".stack", "compile-cache"),
      ...process.env,
      // The console's history goes to the home directory, and is ours to keep.
      ...(command === "repl" && { HOME: stackFolder() }),
    };
    const child = spawn(node, [join(root, script), ...args], { cwd: root, stdio: "inherit", env });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.on(signal, () => {
        // A terminal sends Ctrl-C to the child too.
        if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
      });
    }
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + system.signals[signal]));
  });
}
