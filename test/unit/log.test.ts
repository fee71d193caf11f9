import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { type LogLevels, ServiceBroker } from "moleculer";
import { loadSettings } from "../../config/settings.ts";
import { LeadsError } from "../../mixins/errors.ts";
import { hiddenIn, type LogLine, LogLines } from "../../mixins/log.ts";
import { within } from "../../mixins/trace/scope.ts";

/** A service's logger, and the lines it wrote. */
function logger(level: LogLevels = "info", env: Record<string, string> = {}) {
  const lines: LogLine[] = [];
  const hidden = hiddenIn(loadSettings(env));
  const broker = new ServiceBroker({
    nodeID: "n-1",
    logger: new LogLines({ level, sinks: [(line) => lines.push(line)], hidden }),
    skipProcessEventRegistration: true,
  });
  lines.length = 0;
  return { lines, log: broker.getLogger("score"), last: () => JSON.parse(lines.at(-1)!.text) };
}

describe("a log line", () => {
  it("is one JSON object with the text, who says it and the fields it was given", () => {
    const { lines, log, last } = logger();
    log.warn("mailbox full", { stage: "score", leads: 12n });
    const { time, ...rest } = last();
    assert.deepEqual(rest, {
      level: "warn",
      node: "n-1",
      module: "score",
      message: "mailbox full",
      stage: "score",
      leads: "12",
    });
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
    assert.match(lines[0]!.text, /^[^\n]+\n$/);
    assert.deepEqual([lines[0]!.level, lines[0]!.module], ["warn", "score"]);
  });

  it("says on whose behalf it is said, unless it says so itself", () => {
    const { log, last } = logger();
    const about = { leadId: "l-1", tenant: "acme", stage: "score", lane: "live", requestId: "r", traceId: "t" };
    within({ recorder: null, service: "score", parents: [], about }, () => log.info("scored", { leadId: "l-2" }));
    const { time: _, ...line } = last();
    const said = { level: "info", node: "n-1", module: "score", message: "scored" };
    assert.deepEqual(line, { ...about, ...said, leadId: "l-2" });
  });

  it("is not written below the level that was asked for", () => {
    const { lines, log } = logger("warn");
    log.info("small talk");
    log.debug("smaller");
    assert.equal(lines.length, 0);
    log.error("trouble");
    assert.equal(lines.length, 1);
  });

  it("tells an error's type, message and cause, and not its data, which may be a person's", () => {
    const error = new LeadsError("VALIDATION", "a field is wrong", { name: "Jane Roe" }, { cause: new Error("why") });
    const { lines, log, last } = logger();
    for (const args of [["refused", error] as const, ["refused", { error }] as const]) {
      log.error(...args);
      assert.doesNotMatch(lines.at(-1)!.text, /Jane/);
      const { error: told } = last();
      assert.deepEqual([told.type, told.message, told.cause], ["VALIDATION", "a field is wrong", "why"]);
    }
  });

  it("tells of a database's error what was wrong, and not its words, which quote values", () => {
    const error = Object.assign(new Error('invalid input syntax for type uuid: "Jane Roe"'), {
      severity: "ERROR",
      code: "22P02",
      table: "leads",
    });
    const { lines, log, last } = logger();
    log.error("failed", error);
    log.error("failed", new LeadsError("OUTAGE", "postgres is down", {}, { cause: error }));
    assert.doesNotMatch(lines.map(({ text }) => text).join(), /Jane/);
    assert.equal(JSON.parse(lines[0]!.text).error.code, "22P02");
    assert.equal(last().error.cause, "the database refuses (22P02)");
  });

  it("hides e-mail addresses, phone numbers, keys and secrets, whoever's words it quotes", () => {
    const key = `lf_${"k".repeat(43)}`;
    const secrets = ["a-secret-of-32-characters-or-more-1", "pa\\ss+word"];
    const { lines, log } = logger("info", {
      LEADS_LINK_SECRETS: secrets[0]!,
      LEADS_DATABASE_URL: `postgres://leads:${encodeURIComponent(secrets[1]!)}@127.0.0.1/leads`,
    });
    const said = `550 no such user jane.roe+x@mail.example.com, call +13125550123 with ${key} ${secrets.join(" ")}`;
    log.warn(said, { reason: said });
    log.error("failed", new Error(said));
    for (const { text } of lines) {
      JSON.parse(text);
      for (const hidden of ["jane", "+1312", key, secrets[0]!, "ss+word"])
        assert.ok(!text.includes(hidden), `${hidden} in ${text}`);
      assert.match(text, /550 no such user \[hidden\], call \[hidden\] with \[hidden\]/);
    }
  });

  it("cannot be made to look like another line by a field's name", () => {
    const { log, last } = logger();
    log.info("hello", { level: "fatal", message: "forged", node: "other" });
    const { level, message, node } = last();
    assert.deepEqual([level, message, node], ["info", "hello", "n-1"]);
  });

  it("is lost where the disk is full, and the process that says it goes on", async function () {
    if (!existsSync("/dev/full")) return this.skip();
    const script = `
      const load = (path) => import("./" + path);
      await load("moleculer.config.ts");
      const { toConsole } = await load("mixins/log.ts");
      for (const level of ["info", "info", "warn", "warn"]) {
        toConsole({ level, module: "score", text: "hello\\n" });
        await new Promise(setImmediate);
      }
      process.exit(42);`;
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      cwd: join(import.meta.dirname, "..", ".."),
      env: { PATH: process.env["PATH"] },
      stdio: ["ignore", full, full],
    });
    closeSync(full);
    assert.deepEqual(await once(child, "exit"), [42, null]);
  });
});
