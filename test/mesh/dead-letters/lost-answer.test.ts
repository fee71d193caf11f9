import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type Context, Errors } from "moleculer";
import { dead } from "../../../bin/repl/dead.ts";
import { ensureStreams } from "../../../mixins/jetstream.ts";
import deadLetters from "../../../services/dead-letters/dead-letters.service.ts";
import { bury, jobEnd } from "../../support/dead-letters.ts";
import { eventually } from "../../support/eventually.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";
import { aLead, passed } from "../../support/leads.ts";

/** Answers of the service that are yet to be lost: such a call ends as mixins/lost-answers.ts ends it. */
let toLose = 0;
function lose({ action, nodeID }: Context, answer: object): object {
  if (toLose-- > 0) throw new Errors.RequestRejectedError({ action: action!.name!, nodeID: nodeID! });
  return answer;
}

describe("what operators ask of dead letters, where the answer is lost with the connection", () => {
  let gateway: TestGateway;
  before(async () => {
    gateway = await startGateway({
      services: [
        "services/leads/leads.service.ts",
        { ...deadLetters, hooks: { after: { redrive: lose, discard: lose } } },
      ],
    });
    const { nats, names, settings, resources } = gateway;
    await ensureStreams(nats, names, settings, resources.flow, resources.side);
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  const byApi = async (tenant: string, kind: string, body: object): Promise<any> => {
    const { secret } = await gateway.key(tenant, "operate");
    const answer = await gateway.call(secret, `/v1/dead-letters/${kind}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: answer.status, ...((await answer.json()) as object) };
  };
  const byPrompt = async (tenant: string, kind: string, options: object): Promise<any> =>
    (await dead(gateway.broker, [kind], { tenant, all: true, ...options })).json;

  for (const [name, ask] of [
    ["a redrive by the API", (tenant) => byApi(tenant, "redrive", { filter: {}, limit: 2 })],
    ["a discard by the API", (tenant) => byApi(tenant, "discard", { filter: {}, limit: 2, reason: "junk" })],
    ["a redrive by the prompt", (tenant) => byPrompt(tenant, "redrive", { limit: "2" })],
    ["a discard by the prompt", (tenant) => byPrompt(tenant, "discard", { limit: "2", reason: ["junk"] })],
  ] as [string, (tenant: string) => Promise<any>][])
    it(`is asked again and is one job: ${name}`, async () => {
      const tenant = name.replaceAll(" ", "-").toLowerCase();
      const leads = Array.from({ length: 5 }, () => passed(aLead({ tenant }), "enrich", "dedupe"));
      await bury(gateway, leads);
      toLose = 1;
      const { id } = await ask(tenant);
      assert.equal(toLose, -1, "it was asked twice");
      const call = (action: string) => gateway.broker.call<any, object>(`dead-letters.${action}`, { tenant });
      for (const job of (await call("jobs")).items) await jobEnd(gateway, job.id);
      const { items } = await call("jobs");
      assert.deepEqual(
        items.map((job: any) => [job.id, job.state, job.redriven + job.discarded]),
        [[id, "done", 2]],
      );
      assert.equal((await call("counts")).total, 3);
      const booked = () =>
        gateway.resources.databases.of(tenant)("operations").where({ tenant }).whereNotNull("result");
      await eventually("it stands in the log of operations", async () => (await booked()).length > 0);
      assert.equal((await booked()).length, 1);
    });

  it("takes no id for a job from a request", async () => {
    const { status, faults } = await byApi("acme", "redrive", { filter: {}, id: randomUUID() });
    assert.deepEqual([status, faults], [422, [{ field: "id", message: "is no field here" }]]);
  });
});
