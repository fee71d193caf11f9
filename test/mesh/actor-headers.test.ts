import assert from "node:assert/strict";
import { forward, retry } from "../../mixins/actor/outcome.ts";
import { LeadsError } from "../../mixins/errors.ts";
import { deadLetters, put } from "../support/actor.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { origin, quick, quiet, someLeads, stage } from "../support/stages.ts";

const names = ["one", "two", "three"];
const flow = names.map((name) => ({ name, ...quick }));

describe("request id, tenant, lane and trace context", () => {
  for (const lane of ["live", "bulk"] as const) {
    it(`travel unchanged through all stages on the ${lane} lane, through a retry, into a dead letter`, async () => {
      const seen: Record<string, unknown>[] = [];
      await using mesh = await startMesh({
        flow,
        services: names.map((name) =>
          stage(name, {
            handle: (batch) =>
              batch.map(({ lead, attempt, redelivered, ...route }) => {
                seen.push({ stage: name, leadId: lead.leadId, ...route });
                if (name === "two" && attempt === 1) return retry(new Error("once more"));
                if (name === "three" && lead.source === "bad") return retry(new LeadsError("VALIDATION", "never"));
                return forward(lead);
              }),
          }),
        ),
      });
      const routes = ["acme", "other"].map((tenant) => ({ ...origin(tenant), importId: `import-${tenant}` }));
      const leads = routes.map((route) => someLeads(6, route.tenant));
      leads[0]![0]!.source = "bad";
      for (const [n, route] of routes.entries()) await put(mesh, "one", lane, leads[n]!, { route });
      await quiet(mesh, names);
      for (const [n, route] of routes.entries()) {
        for (const { leadId } of leads[n]!) {
          const way = seen.filter((one) => one["leadId"] === leadId);
          assert.deepEqual(
            way,
            ["one", "two", "two", "three"].map((name) => ({ stage: name, leadId, ...route, lane })),
          );
        }
      }
      const [letter] = await deadLetters(mesh);
      const { tenant, requestId, traceparent, importId } = letter!;
      assert.deepEqual({ tenant, requestId, traceparent, importId }, routes[0]);
      assert.equal(letter!.lane, lane);
      for (const [name, value] of [
        ["Leads-Tenant", tenant],
        ["Leads-Request", requestId],
        ["traceparent", traceparent],
        ["Leads-Lane", lane],
        ["Leads-Stage", "three"],
      ])
        assert.match(letter!.headers, new RegExp(`^${name}: ?${value}\r$`, "m"));
    });
  }

  it("stand in the log lines of a failure and of a dead letter, and nothing of the lead's own does", async () => {
    const lines: Record<string, unknown>[] = [];
    const route = origin("acme");
    await using mesh = await startMesh({
      flow: [{ name: "one", ...quick, retry: { retries: 1, baseMs: 1, maxMs: 1 } }],
      services: [stage("one", { handle: (batch) => batch.map(() => retry(new RangeError("of Jane Doe"))) })],
    });
    const { logger } = mesh.broker.getLocalService("one");
    for (const level of ["debug", "info", "warn", "error"] as const)
      logger[level] = (message: string, fields: object) => lines.push({ level, message, ...fields });
    const leads = someLeads(1).map((lead) => ({ ...lead, fields: { name: "Jane Doe" } }));
    await put(mesh, "one", "live", leads, { route });
    await eventually("a dead letter", async () => (await deadLetters(mesh)).length === 1);
    const common = {
      stage: "one",
      leadId: leads[0]!.leadId,
      tenant: "acme",
      lane: "live",
      requestId: route.requestId,
      traceId: route.traceparent.split("-")[1],
      error: "RangeError",
    };
    assert.deepEqual(lines, [
      { level: "info", message: "lead will be retried", ...common, attempt: 1 },
      { level: "warn", message: "lead is a dead letter", ...common, attempt: 2 },
    ]);
    assert.doesNotMatch(JSON.stringify(lines), /Jane/);
  });
});
