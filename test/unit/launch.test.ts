import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRunning, launch, signal } from "../../bin/stack/process.ts";
import { eventually } from "../support/eventually.ts";

describe("a process that is started", () => {
  it("is ended where its starter cannot note it, so that no other is started beside it", async () => {
    const dir = mkdtempSync(join(tmpdir(), "leadfactory-launch-"));
    const started = { pid: 0, birth: "" };
    try {
      const launched = launch(process.execPath, ["--eval", "setInterval(() => {}, 1_000)"], {
        log: join(dir, "log"),
        onSpawn(pid, birth) {
          Object.assign(started, { pid, birth });
          throw new Error("no space left on device");
        },
      });
      await assert.rejects(launched, /no space left/);
      assert.notEqual(started.birth, "");
      await eventually("it has ended", () => !isRunning(started));
    } finally {
      signal(started, "SIGKILL");
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
