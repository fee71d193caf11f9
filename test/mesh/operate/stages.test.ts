import assert from "node:assert/strict";
import { wait } from "../../../mixins/actor/outcome.ts";
import { newStats } from "../../../mixins/actor/stats.ts";
import { outage } from "../../../mixins/errors.ts";
import { ensureStreams } from "../../../mixins/jetstream.ts";
import { revokeKey } from "../../../mixins/keys.ts";
import { put } from "../../support/actor.ts";
import { bury } from "../../support/dead-letters.ts";
import { eventually } from "../../support/eventually.ts";
import { operators, startGateway, type TestGateway } from "../../support/gateway.ts";
import { aLead } from "../../support/leads.ts";
import { quick, someLeads, stage } from "../../support/stages.ts";

const flow = ["works", "waits", "silent", "nobody"].map((name) => ({ name, ...quick }));

/** Says that it works, and takes nothing: as one whose connection has gone deaf. */
const deaf = {
  name: "silent",
  actions: {
    state: (ctx: any) => ({
      stage: "silent",
      nodeID: ctx.broker.nodeID,
      state: "working",
      pause: null,
      outage: null,
      inHand: 0,
      stats: newStats(),
      at: Date.now(),
    }),
  },
};

describe("an operator sees", function () {
  this.timeout(60_000);

  let gateway: TestGateway;
  let platform: { id: string; secret: string };
  before(async () => {
    gateway = await startGateway({
      flow,
      env: { LEADS_WATCHDOG_MS: "1000", LEADS_PROBE_MIN_MS: "100", LEADS_PROBE_MAX_MS: "400" },
      services: [
        ...operators,
        "services/leads/leads.service.ts",
        stage("works", { handle: (batch) => batch.map(() => wait(Date.now() + 3_600_000, "later")) }),
        stage("waits", {
          handle: () => {
            throw outage("printer", new Error("no paper"));
          },
        }),
        deaf as never,
      ],
    });
    await ensureStreams(gateway.nats, gateway.names, gateway.settings, flow);
    platform = await gateway.key("acme", "read", "operate", "platform");
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  const ask = async (method: string, path: string, body?: object): Promise<any> => {
    const json = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    return (await gateway.call(platform.secret, path, { method, ...(body && json) })).json();
  };
  const stageOf = async (name: string) => (await ask("GET", "/v1/stages")).stages.find((s: any) => s.name === name);

  it("of each stage whether it works, waits for what, is silent or absent, and since when", async () => {
    await put(gateway, "waits", "live", someLeads(2));
    await put(gateway, "silent", "bulk", someLeads(70));
    await put(gateway, "nobody", "live", someLeads(3));
    const waits = await eventually("the outage is told", async () => {
      const found = await stageOf("waits");
      return found.state === "outage" && found;
    });
    assert.match(waits.why, /printer is down: no paper/);
    assert.ok(Math.abs(waits.since - Date.now()) < 20_000);
    assert.equal(waits.backlog, 2);
    const silent = await eventually("the silence is noticed", async () => {
      const found = await stageOf("silent");
      return found.state === "silent" && found;
    });
    assert.deepEqual([silent.backlog, silent.about, silent.drainSeconds], [70, true, null]);
    assert.equal(silent.instances.length, 1);
    const nobody = await stageOf("nobody");
    assert.deepEqual([nobody.state, nobody.backlog, nobody.instances], ["absent", 3, []]);
    const works = await stageOf("works");
    assert.deepEqual([works.state, works.backlog, works.drainSeconds], ["working", 0, 0]);
  });

  it("who paused a stage, when and why, everywhere, and in the log", async () => {
    await ask("POST", "/v1/stages/works/pause", { reason: "to look at it" });
    const paused = await eventually("it is paused", async () => {
      const found = await stageOf("works");
      return found.state === "paused" && found;
    });
    assert.deepEqual([paused.why, paused.by], ["to look at it", `key ${platform.id}`]);
    await ask("POST", "/v1/stages/works/resume", {});
    await eventually("it works again", async () => (await stageOf("works")).state === "working");
    const log = await eventually("both are in the log", async () => {
      const { items } = await ask("GET", "/v1/operations?tenant=*");
      return items.length >= 2 && items;
    });
    assert.deepEqual(
      log.slice(0, 2).map((o: any) => [o.by, o.what, o.target, o.result]),
      [
        [`key ${platform.id}`, "stage.resume", "works", "done"],
        [`key ${platform.id}`, "stage.pause", "works", "done"],
      ],
    );
    assert.deepEqual(log[1].detail, { reason: "to look at it" });
  });

  it("where a lead is and what it waits for: parked, behind an outage, unread, dead", async () => {
    const [parked] = someLeads(1);
    await put(gateway, "works", "live", [parked!]);
    const leads = someLeads(3);
    await put(gateway, "waits", "live", [leads[0]!]);
    await put(gateway, "silent", "live", [leads[1]!]);
    await put(gateway, "nobody", "live", [leads[2]!]);
    const dead = aLead();
    await bury(gateway, [dead], { stage: "works" });
    const why = (id: string) => ask("GET", `/v1/leads/${id}/why`);
    const whyParked = await eventually("it is parked", async () => {
      const found = await why(parked!.leadId);
      return found.where === "parked" && found;
    });
    assert.deepEqual([whyParked.stage, whyParked.waitsFor], ["works", "its moment"]);
    assert.ok(whyParked.until > Date.now() + 3_000_000);
    const held = await why(leads[0]!.leadId);
    assert.deepEqual([held.where, held.waitsFor, held.before], ["mailbox", "an outage to end", 2]);
    assert.match(held.text, /about 2 leads before it.*printer is down/);
    assert.equal((await why(leads[2]!.leadId)).waitsFor, "an instance");
    const over = await why(dead.leadId);
    assert.deepEqual([over.where, over.stage, over.waitsFor], ["dead", "works", "an operator"]);
    assert.match(over.text, /TypeError: m/);
  });

  it("who paused a stage and why, and what is down, where a tenant is told that its lead waits", async () => {
    const tenant = await gateway.key("acme", "read");
    const text = async ({ secret }: { secret: string }, id: string): Promise<string> =>
      ((await (await gateway.call(secret, `/v1/leads/${id}/why`)).json()) as any).text;
    const [held, waiting] = someLeads(2);
    await put(gateway, "waits", "live", [held!]);
    assert.match(
      await text(platform, held!.leadId),
      /The stage waits since [-\d]+ [:\d]+Z: printer is down: no paper$/,
    );
    assert.match(await text(tenant, held!.leadId), /The stage waits since [-\d]+ [:\d]+Z for an outage to end$/);
    await ask("POST", "/v1/stages/works/pause", { reason: "zenith sends too much" });
    await eventually("it is paused", async () => (await stageOf("works")).state === "paused");
    await put(gateway, "works", "live", [waiting!]);
    assert.match(
      await text(platform, waiting!.leadId),
      new RegExp(`The stage is paused by key ${platform.id} since [-\\d]+ [:\\d]+Z: zenith sends too much$`),
    );
    assert.match(await text(tenant, waiting!.leadId), /The stage is paused since [-\d]+ [:\d]+Z$/);
    await ask("POST", "/v1/stages/works/resume", {});
    await eventually("it works again", async () => (await stageOf("works")).state === "working");
  });

  it("every stream and consumer, and every node with its services", async () => {
    const { streams, store } = await ask("GET", "/v1/streams");
    const mailbox = streams.find((s: any) => s.name === gateway.names.mailbox("silent").stream);
    const bulk = mailbox.consumers.find((c: any) => c.name === "bulk");
    assert.deepEqual([bulk.pending, bulk.unacknowledged], [2, 0]);
    assert.ok(bulk.oldestMs > 0 && mailbox.bytes > 0 && store.bytes >= mailbox.bytes);
    const { nodes } = await ask("GET", "/v1/nodes");
    const own = nodes.find((n: any) => n.id === gateway.broker.nodeID);
    assert.ok(own.available && own.services.includes("dead-letters") && own.services.includes("works"));
  });

  it("what happens, until its key is revoked", async () => {
    const key = await gateway.key("acme", "read", "platform");
    const answer = await gateway.call(key.secret, "/v1/events");
    assert.equal(answer.headers.get("content-type"), "text/event-stream");
    let text = "";
    const ended = (async () => {
      for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) text += part;
    })();
    await ask("POST", "/v1/stages/works/pause", { reason: "an event" });
    await eventually("the pause is told", () => /event: stage\ndata: .*"name":"works".*"state":"paused"/.test(text));
    await bury(gateway, [aLead({ tenant: "zenith" })]);
    await eventually("another tenant's dead letter is told", () => /event: dead-letters\ndata: .*"zenith"/.test(text));
    gateway.broker.emit("budget.level", { tenant: "zenith", level: 75 });
    await eventually("a budget's level is told", () => /event: budget\ndata: .*"level":75/.test(text));
    await ask("POST", "/v1/stages/works/resume", {});
    await revokeKey(gateway.nats, gateway.names, key.id);
    await ended;
  });
});
