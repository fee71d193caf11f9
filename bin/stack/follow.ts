import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ownerOf, readState } from "./state.ts";

/** Shows what a start in the background says until it is up (0) or has ended (its code). Ctrl-C before that ends it. */
export async function followUntilUp(child: ChildProcess, dir: string, output: string): Promise<number> {
  const ended = new Promise<number>((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
  const stop = () => child.kill("SIGTERM");
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  const file = openSync(output, "r");
  const chunk = Buffer.alloc(65_536);
  const show = () => {
    for (let size = readSync(file, chunk); size > 0; size = readSync(file, chunk))
      process.stdout.write(chunk.subarray(0, size));
  };
  try {
    for (;;) {
      const code = await Promise.race([ended, delay(100, undefined)]);
      show();
      if (code !== undefined) return code;
      if (readState(dir).phase === "up" && ownerOf(dir)?.pid === child.pid) {
        child.unref();
        console.log(`\n  it goes on in the background; npm stop ends it, ${output} has what it says\n`);
        return 0;
      }
    }
  } finally {
    closeSync(file);
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}
