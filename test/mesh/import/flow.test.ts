import assert from "node:assert/strict";
import { eventually } from "../../support/eventually.ts";
import { generous, operators, postBulk, stages, startGateway } from "../../support/gateway.ts";

describe("the flow of an import", () => {
  it("adds up to what was accepted at every moment, and in the end to what the database holds", async function () {
    this.timeout(90_000);
    await using gateway = await startGateway({
      services: [...stages, ...operators, "services/budget/budget.service.ts", "services/rights/rights.service.ts"],
      env: generous,
    });
    const { secret } = await gateway.key("acme", "ingest", "read", "operate", "platform");
    const send = async (method: string, path: string, body?: object) => {
      const json = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      const answer = await gateway.call(secret, path, { method, ...(body && json) });
      assert.ok(answer.ok, `${path}: ${answer.status}`);
      return (await answer.json()) as any;
    };
    const row = (n: number, more: object = {}) =>
      JSON.stringify({ name: `Bakery ${n}`, email: `n${n}@bakery.example`, city: "Joliet", sourceId: `${n}`, ...more });
    const rows = Array.from({ length: 60 }, (_, n) => row(n));
    // One business under two ids, and one row twice.
    rows.push(row(60, { name: "Bakery 7", email: "n7@bakery.example" }), row(9));

    await send("POST", "/v1/stages/score/pause", { reason: "a test" });
    const { body: sent } = await postBulk(gateway, secret, rows.join("\n"), { query: "source=list" });
    assert.equal(sent.accepted, 62);
    const look = async () => {
      const { items } = await send("GET", "/v1/imports");
      const flow = items.find(({ importId }: any) => importId === sent.importId)?.flow;
      if (!flow) return;
      const { about, ...counts } = flow;
      assert.equal(about, false);
      const sum = Object.values<number>(counts).reduce((a, b) => a + b, 0);
      assert.equal(sum, 62, JSON.stringify(flow));
      return flow;
    };
    await eventually("all but the double wait before the pause", async () => {
      const flow = await look();
      return flow?.inProgress === 60 && flow.merged === 1 && flow.repeated === 1;
    });
    await send("POST", "/v1/stages/score/resume", {});
    const end = await eventually("all have ended", async () => {
      const flow = await look();
      return flow?.inProgress === 0 && flow;
    });

    const knex = gateway.resources.databases.of("acme");
    const { rows: truth } = await knex.raw(
      `select l.state, count(*)::int as n from acceptances a join leads l using (lead_id, tenant)
       where a.import_id = ? group by 1`,
      [sent.importId],
    );
    const states = Object.fromEntries(truth.map(({ state, n }: any) => [state, n]));
    const { about: _about, inProgress: _none, repeated, ...ended } = end;
    assert.equal(repeated, 1);
    assert.deepEqual(Object.fromEntries(Object.entries(ended).filter(([, n]) => n !== 0)), states);

    // Who is erased is traced to no import any more, and counted all the same.
    const { lead_id: leadId } = await knex("leads").where({ tenant: "acme", source_id: "3" }).first("lead_id");
    await send("DELETE", `/v1/leads/${leadId}`);
    assert.equal((await knex("acceptances").where({ lead_id: leadId }).first()).import_id, null);
    const seen = await gateway.broker.call<any, object>("leads.import", { tenant: "acme", id: sent.importId });
    assert.deepEqual(seen.states, { ...states, completed: states.completed - 1, erased: 1 });
  });
});
