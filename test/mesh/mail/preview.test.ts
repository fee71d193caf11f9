import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onPath } from "../../../bin/stack/tools.ts";
import { environmentOf } from "../../../config/settings.ts";
import { openDatabase } from "../../../mixins/knex.ts";
import { writeEnds } from "../../../services/leads/record.ts";
import { aLead } from "../../support/leads.ts";
import { mailSettings } from "../../support/mail.ts";
import { testPlace } from "../../support/servers.ts";

describe("npm run mail:preview", function () {
  this.timeout(60_000);

  it("writes a lead's e-mail as a file, a page and a picture, and sends nothing", async () => {
    await using place = await testPlace(mailSettings("smtp://127.0.0.1:9"));
    const folder = mkdtempSync(join(tmpdir(), "preview-"));
    const knex = openDatabase({ ...place.settings, databasePool: 1 });
    try {
      const lead = aLead({ fields: { name: "Joe's <b>Diner</b>", email: "info@joes.example" } });
      await writeEnds(knex, [{ lead, stage: "email", state: "completed", reason: "outbox" }]);
      const preview = (...args: string[]) =>
        spawnSync(process.execPath, ["bin/mail-preview.ts", ...args, "--dir", folder, "--out", folder], {
          env: { PATH: process.env.PATH, ...environmentOf(place.settings) },
          encoding: "utf8",
        });
      const { status, stdout, stderr } = preview(lead.leadId);
      assert.equal(status, 0, stderr);
      const file = (ending: string) => join(folder, `${lead.leadId}.${ending}`);
      const eml = readFileSync(file("eml"), "utf8");
      assert.match(eml, /^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r$/m);
      assert.match(eml, /^To: info@joes\.example\r$/m);
      const html = readFileSync(file("html"), "utf8");
      assert.match(html, /Joe&#39;s &lt;b&gt;Diner&lt;\/b&gt;/);
      assert.match(html, /Agency Inc\., 1 Main St/);
      const hasBrowser = ["chromium", "chromium-browser", "google-chrome", "chrome"].some(onPath);
      assert.equal(existsSync(file("png")), hasBrowser);
      if (hasBrowser) assert.equal(readFileSync(file("png")).subarray(1, 4).toString(), "PNG");
      assert.equal(stdout.trim().split("\n").length, hasBrowser ? 3 : 2);
      assert.equal(preview("00000000-0000-4000-8000-000000000000").status, 1);
      assert.equal(preview("none").status, 2);
    } finally {
      await knex.destroy();
      if (process.env.KEEP_PREVIEW) console.log(folder);
      else rmSync(folder, { recursive: true });
    }
  });
});
