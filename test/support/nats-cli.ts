import { join } from "node:path";
import { cacheDir, isExecutable, onPath, run } from "../../bin/stack/tools.ts";
import { homeDir } from "./servers.ts";

const goModule = "github.com/nats-io/natscli/nats@v0.4.0";

/** The folder of a `nats` CLI: on PATH, built before, or built now by Go. Undefined, with a word, where there is none. */
export async function natsCliDir(): Promise<string | undefined> {
  const found = onPath("nats");
  if (found) return join(found, "..");
  const cache = cacheDir(join(homeDir(), "bin"));
  if (isExecutable(join(cache, "nats"))) return cache;
  const go = onPath("go");
  try {
    if (!go) throw new Error("there is no Go to build it");
    console.log(`# building the nats CLI: go install ${goModule}`);
    await run(go, ["install", goModule], { GOBIN: cache });
    return cache;
  } catch (error) {
    console.log(`# skipped: there is no nats CLI: ${(error as Error).message}`);
    return undefined;
  }
}
