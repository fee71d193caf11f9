import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { environmentOf, type Settings } from "../../config/settings.ts";
import { eventually } from "../support/eventually.ts";
import { postLead, startGateway } from "../support/gateway.ts";

const root = join(import.meta.dirname, "../..");

/** Runs bin/key.ts against a mesh. */
async function key(settings: Settings, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith("LEADS_"));
  const env = { ...Object.fromEntries(others), ...environmentOf(settings) };
  const child = spawn(process.execPath, ["bin/key.ts", ...args], { cwd: root, env });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, out, err };
}

describe("npm run key", () => {
  it("makes a key that works, lists it without its secret, and revokes it", async () => {
    await using gateway = await startGateway();
    const { settings } = gateway;
    const made = await key(
      settings,
      "create",
      "--tenant",
      "acme",
      "--scopes",
      "ingest,read",
      "--label",
      "crm",
      "--json",
    );
    assert.equal(made.code, 0, made.err);
    const { id, secret } = JSON.parse(made.out);
    assert.match(secret, /^lf_[A-Za-z0-9_-]{43}$/);
    await gateway.knows(secret);
    assert.equal((await postLead(gateway, secret, { name: "" })).status, 422);
    const listed = await key(settings, "list");
    assert.match(listed.out, new RegExp(`^${id} +acme +ingest,read .*crm`, "m"));
    assert.ok(!listed.out.includes(secret.slice(3)));
    assert.equal((await key(settings, "revoke", id)).code, 0);
    await eventually("it is refused", async () => (await postLead(gateway, secret, {})).status === 401, {
      withinMs: 1_000,
    });
    assert.match((await key(settings, "list")).out, /revoked/);
  });

  it("says what is wrong, and exits 2 for a command line that cannot be, 1 for what failed", async () => {
    await using gateway = await startGateway();
    const wrong = await key(gateway.settings, "create", "--tenant", "Acme", "--scopes", "write");
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /--tenant "Acme"[\s\S]*--scopes "write"/);
    const unknown = await key(gateway.settings, "revoke", "0123456789ab");
    assert.equal(unknown.code, 1);
    assert.match(unknown.err, /no key 0123456789ab/);
  });
});
