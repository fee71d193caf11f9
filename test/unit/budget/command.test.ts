import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";

const command = join(import.meta.dirname, "..", "..", "..", "bin", "budget.ts");

/** What it says before it ends, and with which exit code. */
function budget(...args: string[]): Promise<{ code: number | string | null | undefined; said: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { env: { PATH: process.env.PATH } }, (error, _out, said) =>
      resolve({ code: error?.code, said }),
    );
  });
}

describe("npm run budget", () => {
  it("refuses a choice without `set`, which it would write down nowhere", async () => {
    const { code, said } = await budget("--tenant", "acme", "--day", "80", "--cap", "llm=5");
    assert.equal(code, 2);
    assert.match(said, /^budget: --day, --cap: only `set` writes down what a tenant chooses$/m);
  });
});
