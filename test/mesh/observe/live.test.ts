import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parse } from "yaml";
import { boards } from "../../../bin/dashboards/boards.ts";
import { dashboardFiles } from "../../../bin/dashboards.ts";
import { alertmanagerProgram } from "../../../bin/stack/debian.ts";
import { exporterJobs, observers } from "../../../bin/stack/observe.ts";
import { alertmanagerServer, prometheusServer } from "../../../bin/stack/prometheus.ts";
import { jsApi } from "../../../mixins/jetstream.ts";
import { openDatabase } from "../../../mixins/knex.ts";
import { changeTenant } from "../../../services/email/tenants.sql.ts";
import { eventually } from "../../support/eventually.ts";
import { stages, startGateway, type TestGateway } from "../../support/gateway.ts";
import {
  callProvider,
  closeBreaker,
  giveBack,
  holdRecord,
  type LiveLoad,
  park,
  sendEvents,
  sendForeign,
  sendLeads,
} from "../../support/live-load.ts";
import { Mailbox, mailSettings, writeSome } from "../../support/mail.ts";
import { startMesh } from "../../support/mesh.ts";
import { Prom, programOr } from "../../support/observe.ts";
import type { HttpStub } from "../../support/providers/http-stub.ts";
import { pagespeedKey, pagespeedStub } from "../../support/providers/pagespeed.ts";
import { own, servers } from "../../support/servers.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const eventSecret = "a-secret-of-this-test-that-signs-events";

describe("the dashboards", () => {
  it("stand in compose/grafana as they are written here", () => {
    for (const [file, text] of dashboardFiles())
      assert.equal(readFileSync(file, "utf8"), text, `${file} is out of date: npm run dashboards writes it anew`);
  });

  it("fill no gap with a zero, and say of each panel what it shows", () => {
    for (const { uid, rows } of boards)
      for (const { title, text, queries } of rows.flatMap((row) => row.panels)) {
        assert.ok(text.length > 5 && queries.length > 0, `${uid}: ${title}`);
        for (const { expr } of queries) assert.doesNotMatch(expr, /vector\(/, `${uid}: ${title}`);
      }
  });
});

describe("a live Prometheus on a live mesh under load", function () {
  this.timeout(300_000);
  const cleanup = new AsyncDisposableStack();
  let gateway: TestGateway;
  let prom: Prom;
  let load: LiveLoad;
  let accepted = 0;
  const alarms: { labels: Record<string, string>; annotations: Record<string, string> }[] = [];
  let began = 0;
  /** Where Alertmanager is; null where it cannot be had. */
  let manager: string | null = null;

  before(async function () {
    const prometheus = await programOr(this as never, "prometheus");
    const pagespeed: HttpStub = cleanup.use(await pagespeedStub());
    const box = cleanup.use(await Mailbox.open());
    gateway = cleanup.use(
      await startGateway({
        services: [
          ...stages,
          ...["metrics/metrics", "budget/budget", "pagespeed/pagespeed", "email/sender", "smtp/smtp"].map(
            (name) => `services/${name}.service.ts`,
          ),
        ],
        env: {
          ...mailSettings(box.url),
          ...{ LEADS_AUDIT_THRESHOLD: "0", LEADS_EMAIL_THRESHOLD: "0", LEADS_MAIL_EVENT_SECRETS: eventSecret },
          ...{ LEADS_PAGESPEED_URL: pagespeed.url, LEADS_PAGESPEED_KEY: pagespeedKey, LEADS_PAGESPEED_PRICE: "1000" },
          // Used up by the calls that are made here; a few leads ask for more than one instance of a stage that was never busy.
          ...{ LEADS_BUDGET_DAY: "10000", LEADS_BUDGET_MONTH: "12000", LEADS_INSTANCE_RATE: "1" },
          ...{
            LEADS_METRICS_EVERY_MS: "1000",
            LEADS_STATEMENT_TIMEOUT_MS: "2000",
            LEADS_PROBE_MAX_MS: "1000",
            LEADS_RATE_LIMIT: "100000",
          },
        },
      }),
    );
    const { url: metricsUrl } = gateway.broker.getLocalService("metrics") as unknown as { url: string };
    const { secret } = await gateway.key("acme", "ingest", "read");
    load = { gateway, secret, pagespeed, box, eventSecret };
    const dir = join(root, ".stack");
    const exporters: Record<string, string> = {};
    const observed = {
      dir,
      settings: gateway.settings,
      adminUrl: (await servers()).databaseUrl,
      running: new Map(),
      log: console.log,
    };
    for (const [name, job] of Object.entries(exporterJobs)) {
      const kind = await observers.find((observer) => observer.name === name)!.server(observed);
      exporters[job] = new URL(cleanup.use(await own(kind)).url).host;
    }
    const receiver = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () => {
        alarms.push(...JSON.parse(body).alerts);
        response.end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    cleanup.defer(() => void receiver.close());
    try {
      const program = await alertmanagerProgram(dir);
      const kind = alertmanagerServer(program, toReceiver(receiver.address() as AddressInfo));
      manager = cleanup.use(await own(kind)).url;
    } catch (error) {
      console.log(`# no Alertmanager: ${(error as Error).message}`);
    }
    const server = prometheusServer(prometheus, {
      metricsUrl,
      exporters,
      alertmanagerUrl: manager,
      scrapeSeconds: 2,
    });
    prom = new Prom(cleanup.use(await own(server)).url);
    await eventually("all targets are scraped", async () => (await prom.value("sum(up)")) === 5, { withinMs: 30_000 });
    began = Date.now();
    await everything();
  });
  after(() => cleanup.disposeAsync());

  /** compose's own configuration, with its receivers told to us, at once. */
  function toReceiver({ port }: AddressInfo): object {
    const config = parse(readFileSync(join(root, "compose", "prometheus", "alertmanager.yml"), "utf8"));
    config.route.group_wait = "0s";
    for (const receiver of config.receivers) receiver.webhook_configs = [{ url: `http://127.0.0.1:${port}/` }];
    return config;
  }

  /** All that a panel could show happens once. */
  async function everything(): Promise<void> {
    // What is quiet first, so that it can be seen to move.
    await delay(6_000);
    await gateway.broker.call("score.pause", { by: "test", reason: "to be seen" });
    accepted += await sendLeads(load, 60, 400);
    await instancesWanted();
    await fetch(`${gateway.url}/v1/nothing`);
    await callProvider(load, 10);
    await giveBack(load, "score", 5);
    await sendForeign(load, "score", 3);
    await park(load, "score", 9_000);
    // By the instance that is scraped all the while, not by one that comes and goes.
    await gateway.broker.call("score.resume");
    const { nats, names } = gateway;
    const dead = async () => (await jsApi(nats, `STREAM.INFO.${names.dead.stream}`)).state.messages as number;
    await eventually("what is no envelope is dead", async () => (await dead()) >= 3, { withinMs: 30_000 });
    await delay(3_000);
    await gateway.broker.call("score.pause", { by: "test", reason: "to be seen again" });
    const second = cleanup.use(await startMesh({ place: gateway, services: ["services/score/score.service.ts"] }));
    accepted += await sendLeads(load, 40, 5_000);
    await delay(3_000);
    await gateway.broker.call("score.resume");
    await holdRecord(load, 5_000, async () => {
      // What came before may be past it, or not there yet.
      accepted += await sendLeads(load, 5, 0);
      await scraped("what waits for the record", 'sum(leads_in_hand_leads{stage="dedupe"})', 1);
    });
    await sendEvents(load);
    await mailLate();
    await second.stop();
    accepted += await sendLeads(load, 60, 200);
    await closeBreaker(load);
    await eventually(
      "the mesh is quiet",
      async () => (await prom.value('sum(leads_backlog_leads{state!="parked"})')) === 0,
      { withinMs: 120_000, everyMs: 500 },
    );
    await delay(3_000);
  }

  /**
   * The law asks for more than one instance of scoring, and a scrape sees it. Only before scoring was ever busy is that
   * certain: then its pace is the setting's, not this machine's. As it is paused, no more are wanted than there are.
   */
  async function instancesWanted(): Promise<void> {
    await using _second = await startMesh({ place: gateway, services: ["services/score/score.service.ts"] });
    await scraped("that two instances are wanted", 'max(leads_desired_instances{stage="score"})', 2);
  }

  /** An e-mail that no sender can take for a while, as somebody holds its tenant. */
  async function mailLate(): Promise<void> {
    const knex = openDatabase({ ...gateway.settings, statementTimeoutMs: 60_000 });
    try {
      await changeTenant(knex, "late", {});
      await knex.transaction(async (trx) => {
        await trx("mail_tenants").where({ tenant: "late" }).forUpdate();
        await writeSome(knex, 1, { tenant: "late" });
        await scraped("an e-mail that is late", "max(leads_mail_overdue_seconds)", 1);
      });
    } finally {
      await knex.destroy();
    }
  }

  const scraped = (what: string, query: string, atLeast: number) =>
    eventually(`a scrape sees ${what}`, async () => (await prom.value(query))! >= atLeast, {
      withinMs: 60_000,
      everyMs: 250,
    });

  for (const { uid, rows } of boards) {
    for (const { title, queries } of rows.flatMap((row) => row.panels)) {
      it(`${uid}, "${title}": each query gives a series, and moves`, async () => {
        for (const { expr } of queries) {
          // Scoring holds a lead for too short a time to be seen; what waits for the record holds them for seconds.
          const stage = title === "In hand" ? "dedupe" : "score";
          const asked = expr.replaceAll("$__rate_interval", "20s").replaceAll("$stage", stage);
          const series = await prom.range(asked, began, Date.now());
          assert.ok(series.length > 0, `no series: ${asked}`);
          assert.ok(
            series.some((values) => Math.max(...values) > Math.min(...values)),
            `nothing moves: ${asked}: ${JSON.stringify(series.map((values) => values[0]))}`,
          );
        }
      });
    }
  }

  /** Prometheus comes to what is true, but for a twentieth: it is a scrape behind. */
  const agree = (query: string, truth: () => Promise<number> | number) =>
    eventually(
      `${query} is as it is in truth`,
      async () => {
        const [seen, real] = [await prom.value(query), await truth()];
        if (Math.abs(seen! - real) <= 0.05 * real) return true;
        throw new Error(`${seen} on Prometheus, ${real} in truth`);
      },
      { withinMs: 20_000, everyMs: 250 },
    );

  it("counts what was accepted, what ended, what it cost and what was sent as the record does", async () => {
    const knex = gateway.resources.databases.of("acme");
    await agree("sum(leads_accepted_total)", () => accepted);
    await agree("sum(leads_cluster_accepted_total)", () => accepted);
    await agree('sum(leads_outcomes_total{outcome=~"complete|merge|reject"})', async () => {
      const ended = await knex("leads").whereIn("state", ["completed", "merged", "rejected"]).count("* as n");
      return Number(ended[0]!["n"]);
    });
    await agree("1e6 * sum(leads_provider_cost_dollars_total)", async () => {
      const status = (tenant: string) => gateway.broker.call<any, object>("budget.status", { tenant });
      return (await Promise.all(["acme", "other"].map(status))).reduce((sum, { today }) => sum + today.spentMicro, 0);
    });
    await agree('sum(leads_mail_total{result="sent"})', () => load.box.received.length);
  });

  it("shows the dead letters and a backlog as the streams have them", async () => {
    const { nats, names } = gateway;
    const messages = async (stream: string) => (await jsApi(nats, `STREAM.INFO.${stream}`)).state.messages as number;
    await agree("sum(max by (stage) (leads_dead_letters))", () => messages(names.dead.stream));
    await gateway.broker.call("score.pause", { by: "test", reason: "to count" });
    const { stream } = names.mailbox("score");
    accepted += await sendLeads(load, 80, 0);
    await eventually("all stand before it", async () => (await messages(stream)) === 80, { withinMs: 60_000 });
    await agree('sum(leads_backlog_leads{stage="score",state!="parked"})', () => messages(stream));
    await gateway.broker.call("score.resume");
  });

  it("sends an alert to a receiver, with where its runbook is", async function () {
    if (manager === null) return this.skip();
    const alarm = await eventually(
      "it has come",
      () => alarms.find(({ labels }) => labels["alertname"] === "BudgetThreeQuarters"),
      { withinMs: 30_000 },
    );
    assert.equal(alarm.annotations["runbook"], "docs/operate.md#budgetthreequarters");
    assert.equal(alarm.labels["severity"], "ticket");
  });
});
