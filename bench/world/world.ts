import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The outside world, and the settings that lead the mesh to it. */
export interface World extends AsyncDisposable {
  env: Record<string, string>;
  pid: number;
}

/** Starts web sites and PageSpeed in a process of their own, each answer `delayMs` late. */
export async function startWorld(delayMs = 0): Promise<World> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "serve.ts"), "--delay", String(delayMs)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const urls = JSON.parse(line) as { sites: string; pagespeed: string };
  return {
    pid: child.pid!,
    env: {
      LEADS_FETCH: "generator",
      LEADS_GENERATOR_URL: urls.sites,
      LEADS_PAGESPEED_KEY: "bench",
      LEADS_PAGESPEED_URL: urls.pagespeed,
      LEADS_PAGESPEED_DAILY: "100000000",
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}
