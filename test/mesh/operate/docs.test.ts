import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { onPath } from "../../../bin/stack/tools.ts";
import { environmentOf } from "../../../config/settings.ts";
import { pauseStage } from "../../../mixins/control.ts";
import { bury } from "../../support/dead-letters.ts";
import { operators, startGateway, type TestGateway } from "../../support/gateway.ts";
import { aLead, passed } from "../../support/leads.ts";
import { natsCliDir } from "../../support/nats-cli.ts";
import { commands } from "../../support/runbook.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..", "..", "..");

describe("docs/operate.md", function () {
  this.timeout(60_000);

  let gateway: TestGateway;
  let env: Record<string, string>;
  before(async () => {
    const others = ["leads/leads", "email/email", "email/mail", "metrics/metrics", "budget/budget"];
    gateway = await startGateway({ services: [...others.map((name) => `services/${name}.service.ts`), ...operators] });
    const { secret } = await gateway.key("acme", "read", "operate", "platform");
    const leads = [1, 2].map(() => passed(aLead(), "enrich", "dedupe"));
    await bury(gateway, leads, { stage: "mockup" });
    await pauseStage(gateway.nats, gateway.names, "score", { by: "a test", reason: "to be seen", at: Date.now() });
    const letters = await gateway.broker.call<any, object>("dead-letters.list", { tenant: "acme" });
    const PATH = process.env["PATH"]!;
    env = { PATH, API: gateway.url, KEY: secret, LEAD: leads[0]!.leadId, LETTER: letters.items[0].id };
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  it("shows requests that are answered", async function () {
    if (!onPath("curl")) {
      console.log("# skipped: there is no curl on PATH");
      return this.skip();
    }
    const lines = commands("sh api");
    assert.ok(lines.length > 10);
    for (const line of lines) {
      const { stdout } = await run("sh", ["-c", line], { env });
      assert.doesNotMatch(stdout, /urn:leadfactory:error/, line);
      assert.ok(JSON.parse(stdout), line);
    }
  });

  it("shows commands of the nats CLI that work on a mesh's server", async function () {
    this.timeout(300_000);
    const dir = await natsCliDir();
    if (dir === undefined) return this.skip();
    // Those before it have been redriven.
    await bury(gateway, [passed(aLead(), "enrich", "dedupe")], { stage: "mockup" });
    const lines = commands("sh nats");
    assert.ok(lines.length > 5);
    const { natsUrl, prefix } = gateway.settings;
    for (const line of lines) {
      const own = line.replaceAll(/\bleads([-.])/g, `${prefix}$1`);
      const more = { PATH: `${dir}:${env["PATH"]}`, NATS_URL: natsUrl, HOME: "/nonexistent" };
      const { stdout } = await run("sh", ["-c", own], { env: { ...env, ...more } });
      assert.ok(stdout.trim() !== "", line);
    }
  });

  it("shows commands of the project that work on a mesh's servers", async () => {
    const lines = commands("sh stack");
    assert.ok(lines.length > 3);
    const said = [];
    for (const line of lines)
      said.push(
        (await run("sh", ["-c", line], { cwd: root, env: { ...env, ...environmentOf(gateway.settings) } })).stdout,
      );
    assert.match(said.at(-1)!, /acme/);
    const { today } = await gateway.broker.call<any, object>("budget.status", { tenant: "acme" });
    assert.equal(today.capMicro, 80_000_000);
  });

  it("shows where metrics are to be had", async () => {
    const { url } = gateway.broker.getLocalService("metrics") as unknown as { url: string };
    for (const line of commands("sh metrics")) {
      const { stdout } = await run("sh", ["-c", line.replace("http://127.0.0.1:3030", url)], { env });
      assert.match(stdout, /leads_paused|"targets"/, line);
    }
  });
});
