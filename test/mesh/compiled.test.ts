import { mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { startNode } from "../support/node-process.ts";
import { homeDir, testPlace } from "../support/servers.ts";

describe("a process of the mesh", () => {
  it("keeps what it has compiled for the next one as soon as it is up, however it ends", async () => {
    await using place = await testPlace();
    const cache = mkdtempSync(join(homeDir(), "compiled-"));
    await using _node = startNode(place.settings, ["services/score/score.service.ts"], { NODE_COMPILE_CACHE: cache });
    const kept = () => readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    await eventually("it is kept", () => kept().length > 100);
  });
});
