import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { forward, type Outcome, retry, type Work } from "../../../mixins/actor/outcome.ts";
import { outage } from "../../../mixins/errors.ts";
import { audit } from "../../../services/leads/audit.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { put } from "../../support/actor.ts";
import { aLead } from "../../support/leads.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { acceptLive, quick, quiet, stage } from "../../support/stages.ts";
import { tracesOf } from "../../support/traces.ts";

const flow = ["one", "two"].map((name) => ({ name, ...quick }));

/** What the first stage does in a test: it stands still at one of its steps until it is let on. */
interface Plan {
  handle?(batch: Work<Lead>[]): Promise<Outcome<Lead>[]>;
  checkpoint?(): Promise<void>;
  probe?(): Promise<void>;
}

const onward = (batch: Work<Lead>[]) => batch.map(({ lead }) => forward(lead));

describe("erasing a lead that a stage has in hand", function () {
  this.timeout(60_000);
  let mesh: TestMesh;
  let plan: Plan = {};
  let reached = Promise.withResolvers<void>();
  let open = Promise.withResolvers<void>();
  /** Ids of leads that a stage was given after it had been let on. */
  const handled: string[] = [];
  const stand = async () => {
    reached.resolve();
    await open.promise;
  };

  before(async () => {
    mesh = await startMesh({
      flow,
      services: [
        stage("one", {
          handle: (batch) => plan.handle?.(batch) ?? onward(batch),
          checkpoint: async () => plan.checkpoint?.(),
          probes: { elsewhere: () => plan.probe?.() ?? Promise.resolve() },
        }),
        stage("two", {
          handle(batch) {
            handled.push(...batch.map(({ lead }) => lead.leadId));
            return onward(batch);
          },
        }),
        "services/rights/rights.service.ts",
        "services/leads/leads.service.ts",
      ],
      // No second pass comes in this test: what the stages let go they let go by themselves.
      env: { LEADS_ERASE_AGAIN_MS: "600000", LEADS_PROBE_MIN_MS: "20", LEADS_PROBE_MAX_MS: "50" },
    });
  });
  after(() => mesh?.[Symbol.asyncDispose]());

  const erase = (lead: Lead) => mesh.broker.call("rights.erase", { tenant: lead.tenant, id: lead.leadId });
  function marked(): { lead: Lead; mark: string } {
    const mark = `mark${randomUUID().slice(0, 8)}`;
    return { mark, lead: aLead({ fields: { name: mark, email: `me@${mark}.example`, phone: "+13125550142" } }) };
  }
  async function isGone(lead: Lead, mark: string) {
    assert.ok(!handled.includes(lead.leadId), "nobody handles it any more");
    assert.deepEqual(await tracesOf(mesh, mark), []);
    const { broken } = await audit({ nats: mesh.nats, names: mesh.names, settings: mesh.settings });
    // These stages record nothing of the others.
    assert.ok(!broken.includes(lead.leadId));
  }

  const steps: Record<string, () => Plan> = {
    "while it is handled, and will be forwarded": () => ({
      async handle(batch) {
        await stand();
        return onward(batch);
      },
    }),
    "while it is handled, and will fail, be parked and retried": () => {
      let tries = 0;
      return {
        async handle(batch) {
          tries++;
          if (tries > 1) handled.push(...batch.map(({ lead }) => lead.leadId));
          await stand();
          return tries > 1 ? onward(batch) : batch.map(({ lead }) => retry(new Error(lead.fields.name)));
        },
      };
    },
    "while it is handled, and will be a dead letter": () => ({
      async handle(batch) {
        await stand();
        return batch.map(({ lead }) =>
          lead.fields.email ? retry(Object.assign(new Error(lead.fields.name), { retryable: false })) : forward(lead),
        );
      },
    }),
    "while its stage waits for an outage to end": () => {
      let isDown = true;
      return {
        async probe() {
          await stand();
          isDown = false;
        },
        async handle(batch) {
          if (isDown) throw outage("elsewhere");
          handled.push(...batch.map(({ lead }) => lead.leadId));
          return onward(batch);
        },
      };
    },
    "between its handler and its publishing": () => ({ checkpoint: stand }),
  };
  for (const [when, make] of Object.entries(steps))
    it(`lets it go ${when}`, async () => {
      plan = make();
      reached = Promise.withResolvers();
      open = Promise.withResolvers();
      const { lead, mark } = marked();
      const other = aLead();
      await acceptLive(mesh, [lead, other]);
      await reached.promise;
      await erase(lead);
      open.resolve();
      await quiet(mesh, ["one", "two"]);
      assert.ok(handled.includes(other.leadId), "the others go on");
      await isGone(lead, mark);
    });

  it("drops what a worker that was frozen meanwhile publishes afterwards", async () => {
    plan = {};
    const { lead, mark } = marked();
    const other = aLead();
    await acceptLive(mesh, [lead]);
    await erase(lead);
    handled.length = 0;
    await put(mesh, "two", "bulk", [other, lead, aLead()]);
    await quiet(mesh, ["one", "two"]);
    assert.ok(handled.includes(other.leadId));
    await isGone(lead, mark);
  });
});
