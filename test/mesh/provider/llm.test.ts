import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { ActionSchema, ServiceSchema } from "moleculer";
import { driftOf } from "../../../services/budget/status.sql.ts";
import anthropic from "../../../services/llm/anthropic.service.ts";
import type { Completion } from "../../../services/llm/completion.ts";
import openai from "../../../services/llm/openai.service.ts";
import { llmSchema } from "../../../services/mockup/llm-draft.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import type { Failure } from "../../support/providers/http-stub.ts";
import {
  anthropicKey,
  anthropicModel,
  anthropicStub,
  type Ending,
  goodDraft,
  type LlmStub,
  noCredit,
  openaiKey,
  openaiModel,
  openaiQuota,
  openaiStub,
  overloaded,
} from "../../support/providers/llm.ts";
import { type TestPlace, testPlace } from "../../support/servers.ts";
import { quick, stage } from "../../support/stages.ts";

/** The bucket of the gate is made by any stage; here by this one. */
const flow = [{ name: "end", ...quick }];
/** The services, without Moleculer's circuit breaker: one mesh sees more failures here than a breaker lets through. */
const unbroken = (service: ServiceSchema): ServiceSchema => {
  const complete = service.actions!["complete"] as ActionSchema;
  return { ...service, actions: { complete: { ...complete, circuitBreaker: { enabled: false } } } };
};
const services = [
  stage("end"),
  "services/budget/budget.service.ts",
  "services/llm/llm.service.ts",
  unbroken(openai),
  unbroken(anthropic),
];
const prices = `${openaiModel}=0.4/1.6/0.1,${anthropicModel}=1/5`;

/** What the tokens of the answer cost by the price table, micro-USD. */
function costOf(by: "openai" | "anthropic", sent: any, said: unknown): number {
  const tokens = (text: string) => Math.ceil(Buffer.byteLength(text) / 4);
  const output = tokens(JSON.stringify(said));
  if (by === "anthropic") return tokens(sent.system + JSON.stringify(sent.messages)) + output * 5;
  const input = tokens(JSON.stringify(sent.messages));
  return Math.ceil((input - 8) * 0.4 + 8 * 0.1 + output * 1.6 - 1e-6);
}

describe("a language model", function () {
  this.timeout(60_000);
  let first: LlmStub;
  let second: LlmStub;
  let place: TestPlace;
  /** Meshes of one place: with both APIs, and with each alone. */
  let both: TestMesh;
  let alone: Record<"openai" | "anthropic", TestMesh>;
  let tenant = "";
  before(async () => {
    place = await testPlace();
    first = await openaiStub();
    second = await anthropicStub();
    both = await start();
    alone = { openai: await start({ LEADS_ANTHROPIC_KEY: "" }), anthropic: await start({ LEADS_LLM_KEY: "" }) };
  });
  after(async () => {
    for (const mesh of [both, alone?.openai, alone?.anthropic]) await mesh?.stop();
    await place?.[Symbol.asyncDispose]();
    await first?.[Symbol.asyncDispose]();
    await second?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    tenant = `t-${randomUUID().slice(0, 8)}`;
    const kv = await both.nats.jetstream().views.kv(both.names.bucket.providers);
    for (const name of ["openai", "anthropic"]) await kv.delete(`retry.${name}`);
    for (const stub of [first, second]) {
      Object.assign(stub, { failure: "none", ending: "whole", error: null, says: () => goodDraft });
      stub.bodies = [];
      stub.requests.length = 0;
    }
  });

  const envOf = (more: Record<string, string> = {}) => ({
    LEADS_LLM_URL: `${first.url}/v1`,
    LEADS_LLM_KEY: openaiKey,
    LEADS_LLM_MODEL: openaiModel,
    LEADS_ANTHROPIC_URL: second.url,
    LEADS_ANTHROPIC_KEY: anthropicKey,
    LEADS_ANTHROPIC_MODEL: anthropicModel,
    LEADS_LLM_PRICES: prices,
    LEADS_PROVIDER_TIMEOUT_MS: "400",
    ...more,
  });
  const start = (more: Record<string, string> = {}) => startMesh({ flow, services, env: envOf(more), place });
  const ask = (mesh: TestMesh, effect: string = randomUUID(), action = "llm.complete") =>
    mesh.broker.call<Completion, object>(action, {
      tenant,
      effect,
      system: "Write.",
      prompt: "A page, please.",
      schema: llmSchema,
    });
  const today = async (mesh: TestMesh) => {
    const { today, open } = await mesh.broker.call<any, object>("budget.status", { tenant });
    return { spent: today.spentMicro, reserved: today.reservedMicro, open };
  };

  it("answers by the schema, and its tokens are booked by the price table", async () => {
    const mesh = both;
    const answer = await ask(mesh);
    assert.ok(answer.ok);
    assert.deepEqual(answer.value, goodDraft);
    assert.deepEqual([answer.by, answer.model], ["openai", openaiModel]);
    assert.equal(answer.costMicro, costOf("openai", first.bodies[0], goodDraft));
    assert.deepEqual(await today(mesh), { spent: answer.costMicro, reserved: 0, open: 0 });
    assert.deepEqual(await driftOf(mesh.resources.databases.of("acme")), []);
    assert.equal(second.requests.length, 0);
  });

  it("is paid once for an effect, whichever API it was paid to, and for a bad answer, too", async () => {
    const mesh = both;
    const good = await ask(mesh, "good");
    first.ending = "truncated";
    const bad = await ask(mesh, "bad");
    assert.deepEqual([bad.ok, (bad as any).reason], [false, "truncated"]);
    first.error = overloaded;
    const other = await ask(mesh, "other");
    assert.equal(other.by, "anthropic");
    Object.assign(first, { ending: "whole", error: null });
    const [asked, spent] = [first.requests.length + second.requests.length, await today(mesh)];
    for (const [effect, answer] of Object.entries({ good, bad, other }))
      assert.deepEqual(await ask(mesh, effect), answer);
    assert.equal(first.requests.length + second.requests.length, asked);
    assert.deepEqual(await today(mesh), spent);
    assert.equal(spent.spent, good.costMicro + bad.costMicro + other.costMicro);
  });

  const failures: [string, () => void][] = [
    ["401", () => (first.failure = "401")],
    ["429", () => (first.failure = "429")],
    ["429 with Retry-After", () => (first.failure = "429 with Retry-After")],
    ["429 insufficient_quota", () => (first.error = openaiQuota)],
    ["500", () => (first.failure = "500")],
    ["no answer in time", () => (first.failure = "slow")],
    ["an answer that is cut off", () => (first.failure = "cut")],
    ["another shape", () => (first.failure = "another shape")],
    ["a page of HTML", () => (first.failure = "not JSON")],
  ];
  for (const [what, fail] of failures)
    it(`is asked elsewhere on ${what}`, async () => {
      const mesh = both;
      fail();
      const answer = await ask(mesh);
      assert.ok(answer.ok);
      assert.deepEqual([answer.by, answer.model, answer.value], ["anthropic", anthropicModel, goodDraft]);
      assert.equal(answer.costMicro, costOf("anthropic", second.bodies[0], goodDraft));
      assert.deepEqual((await today(mesh)).reserved, 0);
    });

  it("is asked elsewhere where the first costs too much: for the ceiling of a call, or for what is left of the budget", async () => {
    // A dear first model: the most that its call can cost is above the ceiling, that of the second is not.
    const dear = `${openaiModel}=100/400,${anthropicModel}=1/5`;
    await using mesh = await start({ LEADS_LLM_PRICES: dear });
    assert.equal((await ask(mesh)).by, "anthropic");
    await using poor = await start({ LEADS_LLM_PRICES: dear, LEADS_LLM_CEILING: "10000000", LEADS_CAP_LLM: "50000" });
    assert.equal((await ask(poor)).by, "anthropic");
    assert.equal(first.requests.length, 0);
    await using broke = await start({ LEADS_CAP_LLM: "100" });
    await assert.rejects(ask(broke), { type: "OVER_BUDGET" });
  });

  it("leaves the last tenth of a budget to what is essential", async () => {
    const mesh = both;
    const { costMicro } = await ask(mesh, "one");
    await mesh.resources.databases
      .of("acme")("tenants")
      .insert({ tenant, shard: 0, settings: JSON.stringify({ budget: { dayMicro: 20_000 } }) })
      .onConflict("tenant")
      .merge();
    const reserve = (effectKey: string, amountMicro: number) =>
      mesh.broker.call<{ kind: string }, object>("budget.reserve", {
        tenant,
        effectKey,
        provider: "other",
        amountMicro,
        essential: true,
      });
    await reserve("other", 13_500);
    await assert.rejects(ask(mesh, "two"), { type: "OVER_BUDGET" });
    assert.equal(await ask(mesh, "one").then((again) => again.costMicro), costMicro, "what is paid costs nothing");
    assert.equal((await reserve("essential", 5_600)).kind, "granted");
  });

  for (const [failure, error, type, spent] of [
    ["401", null, "OUTAGE", 0],
    ["402", null, "PROVIDER_LATER", 0],
    ["429", null, "PROVIDER_LATER", 0],
    ["429 with Retry-After", null, "PROVIDER_LATER", 0],
    ["none", openaiQuota, "PROVIDER_LATER", 0],
    ["500", null, "OUTAGE", 0],
    ["slow", null, "OUTAGE", "most"],
    ["cut", null, "OUTAGE", "most"],
    ["another shape", null, "OUTAGE", "most"],
    ["not JSON", null, "OUTAGE", "most"],
  ] as const satisfies [Failure, LlmStub["error"], string, 0 | "most"][])
    it(`alone, is ${type} on "${error ? "insufficient_quota" : failure}" and well when that is over`, async () => {
      const mesh = alone.openai;
      Object.assign(first, { failure, error });
      const failed = await ask(mesh, "one").then(
        () => assert.fail("it answered"),
        (e: unknown) => e as { type: string; message: string; data: { until?: number } },
      );
      assert.equal(failed.type, type);
      assert.ok(!JSON.stringify([failed.message, failed.data]).includes(openaiKey), "the key is in no error");
      const booked = await today(mesh);
      assert.deepEqual([booked.spent > 0, booked.reserved], [spent === "most", 0]);
      Object.assign(first, { failure: "none", error: null });
      if (type === "PROVIDER_LATER") {
        const waitMs = failed.data.until! - Date.now();
        const expected = error || failure === "402" ? 3_600_000 : failure === "429" ? 5_000 : 120_000;
        assert.ok(waitMs > expected - 5_000 && waitMs <= expected, `${waitMs} ms`);
      } else {
        const answer = await ask(mesh, "one");
        assert.ok(answer.ok);
        assert.equal((await today(mesh)).spent, booked.spent + answer.costMicro);
      }
    });

  it("knows Anthropic's own failures: overloaded, out of credit, a request too large", async () => {
    const mesh = alone.anthropic;
    for (const [error, type, waitMs] of [
      [overloaded, "OUTAGE", 0],
      [{ status: 413, body: { error: { type: "request_too_large" } } }, "PROVIDER_REFUSED", 0],
      [noCredit, "PROVIDER_LATER", 3_600_000],
    ] as const) {
      second.error = error;
      const failed = await ask(mesh).then(
        () => assert.fail("it answered"),
        (e: unknown) => e as { type: string; data: { until?: number } },
      );
      assert.equal(failed.type, type);
      if (waitMs > 0) assert.ok(failed.data.until! > Date.now() + waitMs - 5_000);
      assert.deepEqual(await today(mesh), { spent: 0, reserved: 0, open: 0 });
    }
  });

  it("does not take our mistakes for a lead's: a schema or a model that an API refuses is an outage", async () => {
    const gone = { LEADS_LLM_MODEL: "gone", LEADS_ANTHROPIC_MODEL: "gone", LEADS_LLM_PRICES: "gone=1/5" };
    for (const off of ["LEADS_LLM_KEY", "LEADS_ANTHROPIC_KEY"]) {
      await using mesh = await start({ ...gone, [off]: "" });
      await assert.rejects(ask(mesh), { type: "OUTAGE" });
    }
    // Not an object at its root: neither API takes it.
    for (const mesh of Object.values(alone)) {
      const order = { tenant, effect: randomUUID(), system: "Write.", prompt: "A page.", schema: { type: 7 } };
      await assert.rejects(mesh.broker.call("llm.complete", order), { type: "OUTAGE" });
    }
  });

  for (const [ending, reason] of [
    ["truncated", "truncated"],
    ["refusal", "refused"],
    ["filtered", "filtered"],
  ] as const satisfies [Ending, string][])
    it(`says that an answer was ${reason}, and books it`, async () => {
      let spent = 0;
      for (const [stub, mesh] of [
        [first, alone.openai],
        [second, alone.anthropic],
      ] as const) {
        if (stub === second && ending === "filtered") continue;
        stub.ending = ending;
        const answer = await ask(mesh);
        assert.deepEqual([answer.ok, (answer as any).reason], [false, reason]);
        assert.ok(answer.costMicro > 0);
        spent += answer.costMicro;
        assert.equal((await today(mesh)).spent, spent);
      }
    });

  it("books the most where a server does not count its tokens, and reads JSON out of a fence", async () => {
    const mesh = alone.openai;
    first.ending = "no usage";
    first.says = () => `\`\`\`json\n${JSON.stringify(goodDraft)}\n\`\`\``;
    const answer = await ask(mesh);
    assert.ok(answer.ok);
    assert.deepEqual(answer.value, goodDraft);
    assert.ok(answer.costMicro >= 2_500 * 1.6);
    first.says = () => "Here is your page!";
    assert.deepEqual(((await ask(mesh)) as any).reason, "not_json");
  });

  it("is off without a key, calls nobody, and does not start with a model that has no price", async () => {
    await using mesh = await start({ LEADS_LLM_KEY: "", LEADS_ANTHROPIC_KEY: "" });
    await assert.rejects(ask(mesh), { type: "PROVIDER_OFF" });
    assert.equal(first.requests.length + second.requests.length, 0);
    await assert.rejects(start({ LEADS_LLM_PRICES: "" }), /LEADS_LLM_PRICES is needed/);
    await assert.rejects(start({ LEADS_LLM_MODEL: "" }), /LEADS_LLM_MODEL is needed/);
  });

  it("keeps bulk leads from queueing before live ones, and tells those that find no place to come again", async () => {
    const mesh = alone.openai;
    first.failure = "slow";
    const bulk = Array.from({ length: 30 }, () => ask(mesh).then(String, (error) => error.type as string));
    await eventually("twelve of them are at it", () => first.requests.length === 12);
    first.failure = "none";
    assert.ok((await ask(mesh, "live", "llm.completeNow")).ok);
    const types = await Promise.all(bulk);
    assert.deepEqual(
      ["OUTAGE", "QUEUE_FULL", "[object Object]"].map((type) => types.filter((one) => one === type).length),
      [12, 6, 12],
    );
  });
});
