import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { natsServer } from "../../bin/stack/nats.ts";
import { freePort } from "../../bin/stack/process.ts";
import { bareNats } from "../support/bare-nats.ts";
import { homeDir, natsBinary, own } from "../support/servers.ts";

const root = join(import.meta.dirname, "..", "..");

/** Imports one row there, and waits for the end of the process. A mesh that is not there is waited for ten seconds. */
async function imports(natsUrl: string): Promise<{ code: number | null; said: string }> {
  const file = join(homeDir(), "one.ndjson");
  writeFileSync(file, `${JSON.stringify({ name: "Joe's", phone: "(312) 555-0142" })}\n`);
  const child = spawn(process.execPath, [join(root, "bin", "import.ts"), file, "--tenant", "acme"], {
    env: { PATH: process.env.PATH, LEADS_NATS_URL: natsUrl },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 45_000,
    killSignal: "SIGKILL",
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, said };
}

/** It said what was wrong and stayed for ever, its connection open: whoever waited for its end waited with it. */
describe("a command that can't do its work", () => {
  it("ends when there is no NATS", async () => {
    const { code, said } = await imports(`nats://127.0.0.1:${await freePort()}`);
    assert.equal(code, 1, said);
    assert.match(said, /NATS does not answer/);
  });

  it("ends when JetStream does not answer", async () => {
    await using nats = await own(bareNats(natsServer(await natsBinary())));
    const { code, said } = await imports(nats.url);
    assert.equal(code, 1, said);
  });
});
