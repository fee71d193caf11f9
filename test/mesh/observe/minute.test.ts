import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prometheusServer, rulesFile } from "../../../bin/stack/prometheus.ts";
import { emptyState, enter, writeState } from "../../../bin/stack/state.ts";
import { onPath } from "../../../bin/stack/tools.ts";
import { environmentOf } from "../../../config/settings.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { Console } from "../../support/console.ts";
import { eventually } from "../../support/eventually.ts";
import { operators, startGateway, type TestGateway } from "../../support/gateway.ts";
import { hastened } from "../../support/hastened.ts";
import { aLead } from "../../support/leads.ts";
import { mailSettings } from "../../support/mail.ts";
import { Prom, programOr } from "../../support/observe.ts";
import type { HttpStub } from "../../support/providers/http-stub.ts";
import { pagespeedKey, pagespeedStub } from "../../support/providers/pagespeed.ts";
import { commands } from "../../support/runbook.ts";
import { own } from "../../support/servers.ts";
import { deafen, flow, place, sitOnLock, told, workers } from "../../support/situations.ts";
import { Onlooker, type Trouble } from "../../support/troubles.ts";

/** So much sooner do the alerts fire: what takes half an hour takes 15 s. */
const factor = 120;
const minuteMs = 60_000;

interface Situation extends Trouble {
  what: string;
  /** The stage's, as `GET /v1/stages` shows it. */
  state: string;
  /** A lead that suffers by it, and what `why` says of it. */
  lead: Lead;
  why: RegExp;
  /** Of the answer of /readyz. */
  isReadyTold(answer: any): boolean;
  /** What its runbook says is to be done elsewhere than by a command. */
  help?(): Promise<unknown>;
}

describe("within a minute", function () {
  this.timeout(150_000);
  const cleanup = new AsyncDisposableStack();
  let gateway: TestGateway;
  let prom: Prom;
  let terminal: Console;
  /** Who looks at the page; undefined where there is no browser. */
  let operator: Onlooker | undefined;
  let secret: string;
  let pagespeed: HttpStub;
  let began: number;

  const lead = (fields: Partial<Lead["fields"]> = {}) => {
    const made = aLead();
    return { ...made, fields: { ...made.fields, ...fields } };
  };
  const poison = lead({ name: "Poison" });

  const all: Situation[] = [
    {
      what: "a provider that is down",
      stage: "enrich",
      alert: "StageInOutage",
      title: /^enrich waits for an outage to end since/,
      state: "outage",
      says: /pagespeed is down/,
      todo: /Bring the dependency back/,
      lead: lead({ website: "https://shop.example/" }),
      why: /in the mailbox of enrich .* The stage waits since .*: pagespeed is down/,
      isReadyTold: ({ stages: { enrich } }) => enrich.state === "outage" && enrich.waitsFor === "pagespeed",
      async help() {
        pagespeed.failure = "none";
      },
    },
    {
      what: "a stage that is too slow",
      stage: "mockup",
      alert: "OldestTooOld",
      title: /^mockup is too slow since/,
      state: "slow",
      says: /its oldest live lead has waited for \d+ s, where 1 s are the goal; it does [\d.]+ leads a second/,
      todo: /Start instances of it/,
      lead: lead(),
      why: /in the mailbox of mockup .* about \d+ leads before it.* The stage is slow since .*: too slow for what comes/,
      isReadyTold: ({ stages: { mockup } }) => mockup.state === "slow",
      async help() {
        for (let count = 0; count < 5; count++) cleanup.use(await workers.mockup(gateway));
      },
    },
    {
      what: "a consumer that stopped receiving",
      stage: "dedupe",
      alert: "StageSilent",
      title: /^dedupe receives nothing since/,
      state: "silent",
      says: /leads wait, and no instance is given any/,
      todo: /is to be drained by the node/,
      lead: lead(),
      why: /in the mailbox of dedupe .* The stage's instances are given nothing since/,
      isReadyTold: ({ stages: { dedupe } }) => dedupe.state === "silent" && dedupe.since > began - 1_000,
      // What supervises the process does it.
      help: async () => cleanup.use(await workers.dedupe(gateway)),
    },
    {
      what: "a database pool that is used up",
      stage: "score",
      alert: "PoolUsedUp",
      title: /^score waits for a database connection since/,
      state: "outage",
      says: /the database pool is used up: all 2 connections are taken, \d+ wait for one/,
      todo: /A session that holds a lock that all wait for: end it/,
      lead: lead(),
      why: /in the mailbox of score .* The stage waits since .*the database pool is used up: all 2 connections/,
      isReadyTold: ({ checks: { pool }, degraded }) =>
        !pool.ok && /^the database pool is used up: .* in one process$/.test(pool.detail) && degraded.includes("pool"),
    },
    {
      what: "a stage that was paused and forgotten",
      stage: "email",
      alert: "StagePaused",
      title: /^email is paused since/,
      state: "paused",
      says: /until the new text is there/,
      todo: /when the reason is gone, resume it/,
      lead: lead(),
      why: /in the mailbox of email .* The stage is paused by key \S+ since .*: until the new text is there/,
      isReadyTold: ({ stages: { email } }) => email.state === "paused" && email.since < began,
    },
    {
      what: "one poison lead",
      stage: "score",
      alert: "DeadLettersWaiting",
      title: /^1 dead letter in score since/,
      // The stage has nothing to do with it any more.
      state: "working",
      looksAt: "Poison",
      says: /TypeError: its words cannot be read · no other lead waits for it/,
      todo: /Mend the lead's fields and redrive it/,
      lead: poison,
      why: /dead since .* in score: TypeError: its words cannot be read\. It waits for an operator: redrive or discard letter/,
      isReadyTold: ({ checks: { deadLetters } }) =>
        deadLetters.ok && deadLetters.detail === "1 wait for an operator: score 1",
    },
  ];

  before(async function () {
    if (onPath("script") === undefined) {
      console.log("# skipped: there is no `script` to make a terminal with");
      return this.skip();
    }
    const prometheus = await programOr(this as never, "prometheus");
    pagespeed = cleanup.use(await pagespeedStub());
    gateway = cleanup.use(
      await startGateway({
        flow,
        services: [
          ...operators,
          ...[
            "leads/leads",
            "metrics/metrics",
            "budget/budget",
            "pagespeed/pagespeed",
            "email/sender",
            "email/mail",
          ].map((name) => `services/${name}.service.ts`),
        ],
        env: {
          // Nothing is sent, nothing waits: all that is told of e-mails is zero.
          ...mailSettings("smtp://127.0.0.1:1"),
          ...{ LEADS_PAGESPEED_URL: pagespeed.url, LEADS_PAGESPEED_KEY: pagespeedKey },
          ...{ LEADS_WATCHDOG_MS: "2000", LEADS_DRAIN_LIVE_MS: "1000", LEADS_METRICS_EVERY_MS: "1000" },
        },
      }),
    );
    secret = (await gateway.key("acme", "read", "operate", "platform")).secret;
    const dir = mkdtempSync(join(tmpdir(), "leadfactory-minute-"));
    cleanup.defer(() => rmSync(dir, { recursive: true, force: true }));
    const rules = join(dir, "alerts.rules.yml");
    writeFileSync(rules, hastened(readFileSync(rulesFile, "utf8"), factor));
    const { url: metricsUrl } = gateway.broker.getLocalService("metrics") as unknown as { url: string };
    const options = { metricsUrl, exporters: {}, alertmanagerUrl: null, scrapeSeconds: 1, rules };
    prom = new Prom(cleanup.use(await own(prometheusServer(prometheus, options))).url);
    const leave = await enter(dir);
    cleanup.defer(() => leave?.());
    const env = environmentOf(gateway.settings);
    writeState(dir, { ...emptyState, phase: "up", apiUrl: gateway.url, env });
    terminal = new Console(dir);
    cleanup.defer(() => terminal.kill());
    operator = cleanup.use(await Onlooker.at(gateway.url, secret));
    await Promise.all([terminal.ready(), begin()]);
  });
  after(() => cleanup.disposeAsync());

  /** Makes all six, one soon after another. */
  async function begin(): Promise<void> {
    // It begins paused: what it had asked for before a pause would still come to it.
    await ask("POST", "/v1/stages/email/pause", { reason: "until the new text is there" });
    const [, dedupe] = await Promise.all(
      (["enrich", "dedupe", "score", "mockup", "email"] as const).map(async (name) => {
        const node = cleanup.use(await workers[name](gateway));
        await told(gateway, name);
        return node;
      }),
    );
    await place(gateway, "score", [poison]);
    await eventually("it is dead", async () => (await ask("GET", "/v1/dead-letters?stage=score")).items.length === 1);
    began = Date.now();
    pagespeed.failure = "500";
    deafen(dedupe!);
    cleanup.use(await sitOnLock(gateway));
    const [provider, slow, silent, pool, paused] = all.map((each) => each.lead);
    const others = (count: number) => Array.from({ length: count }, () => lead());
    await place(gateway, "enrich", [provider!]);
    // It alone would take longer than the whole test.
    await place(gateway, "mockup", [...others(299), slow!]);
    await place(gateway, "dedupe", [silent!]);
    await place(gateway, "score", [...others(7), pool!]);
    await place(gateway, "email", [paused!]);
  }

  async function ask(method: string, path: string, body?: object): Promise<any> {
    const json = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    return (await gateway.call(secret, path, { method, ...(body && json) })).json();
  }
  const stageOf = async (name: string) => (await ask("GET", "/v1/stages")).stages.find((s: any) => s.name === name);
  const isFiring = async ({ alert, stage }: Situation) =>
    (await prom.firing()).find((a) => a.alert === alert && (a.labels["stage"] ?? stage) === stage);

  /** What stands for it in a command of the page. */
  async function meant(line: string, { stage, lead: { leadId } }: Situation): Promise<string> {
    const letters = line.includes("LETTER") ? (await ask("GET", `/v1/dead-letters?stage=${stage}`)).items : [];
    const node = line.includes("NODE") ? (await stageOf(stage)).instances[0].node : "";
    return line
      .replace("LETTER", letters[0]?.id)
      .replace("NODE", node)
      .replace("LEAD", leadId)
      .replace("leads-", gateway.names.streams);
  }

  it("one screen says all six, and what to do about each", async () => {
    for (const situation of all) await operator?.sees(situation, began + minuteMs - Date.now());
  });

  for (const situation of all) {
    const { what, stage, alert, state, says, why, isReadyTold } = situation;
    it(`${what} is told for what it is by the API, the prompt, /readyz and an alert`, async () => {
      /** Comes to hold before the minute is over. */
      const soon = <T>(that: string, holds: () => Promise<T>) =>
        eventually(that, holds, { withinMs: Math.max(1, began + minuteMs - Date.now()), everyMs: 200 });
      const { leadId } = situation.lead;
      if (state !== "working") {
        const found = await soon(`GET /v1/stages says ${state} of ${stage}`, async () => {
          const shown = await stageOf(stage);
          return shown.state === state && shown;
        });
        assert.match(found.why, says);
        assert.match(await terminal.type(`stage ${stage}`), new RegExp(`${stage}: ${state} since .*${says.source}`));
      }
      const answer = await ask("GET", `/v1/leads/${leadId}/why`);
      assert.match(answer.text, why);
      assert.match(await terminal.type(`why ${leadId}`), why);
      await soon("/readyz says it", async () => isReadyTold(await ask("GET", "/readyz")));
      const fired = await soon(`${alert} fires for ${stage}`, () => isFiring(situation));
      assert.equal(fired.runbook, `docs/operate.md#${alert.toLowerCase()}`);
    });
  }

  for (const situation of all) {
    const { what, alert } = situation;
    it(`${what}: what its runbook says is done`, async () => {
      await operator?.follows(situation);
      for (const line of commands("repl", alert))
        assert.doesNotMatch(await terminal.type(await meant(line, situation)), /^error|Usage:/m, line);
      const knex = gateway.resources.databases.of("acme");
      for (const statement of commands("sql", alert)) assert.ok((await knex.raw(statement)).rows.length > 0, statement);
      await situation.help?.();
    });
  }

  for (const situation of all) {
    const { what, stage, alert } = situation;
    it(`${what} is over`, async () => {
      await eventually(
        `${stage} works, and ${alert} is silent`,
        async () => {
          const { state } = await stageOf(stage);
          return state === "working" && !(await isFiring(situation));
        },
        { withinMs: 40_000, everyMs: 200 },
      );
      await operator?.seesNoMore(situation);
      await eventually(
        "its lead has gone on",
        async () => {
          const { stage: at, where } = await ask("GET", `/v1/leads/${situation.lead.leadId}/why`);
          return at !== stage || (where !== "mailbox" && where !== "dead");
        },
        { withinMs: 20_000 },
      );
    });
  }

  it("and when all are over, /readyz and the page say so", async () => {
    const answer = await eventually(
      "it is ready",
      async () => {
        const { status, checks } = await ask("GET", "/readyz");
        return status === "ready" && checks;
      },
      { withinMs: 20_000 },
    );
    assert.deepEqual([answer.pool, answer.deadLetters], [{ ok: true }, { ok: true }]);
    await operator?.seesAllWell();
  });

  it("the runbook's queries have answers", async () => {
    const load = () => ({
      tenant: "acme",
      url: `https://shop${Math.random()}.example/`,
      effect: String(Math.random()),
    });
    pagespeed.failure = "500";
    await Promise.allSettled(Array.from({ length: 8 }, () => gateway.broker.call("pagespeed.facts", load())));
    for (const query of commands("promql"))
      await eventually(`${query} has a value`, async () => (await prom.value(query)) !== undefined, {
        withinMs: 10_000,
      });
  });
});
