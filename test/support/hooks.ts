import { inspect } from "node:util";
import { assertNoLeaks } from "./leaks.ts";
import { noteFailure } from "./reporter.ts";
import { stopServers } from "./servers.ts";

/** How long the process may live on after the last test. A healthy run ends at once. */
const lingerMs = 5_000;

/** Mocha's root hooks: servers start when a test first asks for them, and end here. */
export const mochaHooks = {
  async afterAll() {
    try {
      assertNoLeaks();
    } finally {
      await stopServers();
      // Does not keep the process alive: it only fires in one that something else keeps alive.
      setTimeout(() => {
        noteFailure(`the process hangs after the last test on: ${inspect(process.getActiveResourcesInfo())}`);
        process.exit(1);
      }, lingerMs).unref();
    }
  },
};
