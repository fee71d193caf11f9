/** `npm stop`: ends what `npm start` started in this folder, and nothing else. */
import { loadSettings } from "../config/settings.ts";
import { dirFlag } from "./stack/flags.ts";
import { endAll, running } from "./stack/leftovers.ts";
import { end } from "./stack/process.ts";
import { ownerOf, readState, writeState } from "./stack/state.ts";

/** What a starter needs beside the drain of its services: to close three servers. */
const serversMs = 30_000;

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  return 1;
});

async function main(args: string[]): Promise<number> {
  const dir = dirFlag(args);
  const state = readState(dir);
  const { drainMs } = loadSettings(state.env);
  let ended = 0;
  const owner = ownerOf(dir);
  if (owner) {
    // It would start again what we end: it ends its own, in its order.
    console.log(`asking npm start (process ${owner.pid}) to stop`);
    const how = await end(owner, drainMs + serversMs);
    if (how === "killed") console.log("it did not, and had to be killed");
    ended++;
  }
  const now = readState(dir);
  const left = running(dir, now);
  await endAll(left, drainMs, console.log);
  ended += left.length;
  if (ended === 0) console.log("nothing of ours is running");
  else {
    const { apiUrl: _, ...rest } = now;
    writeState(dir, { ...rest, phase: "stopped", processes: [] });
    console.log("stopped; the data stay for the next start");
  }
  return 0;
}
