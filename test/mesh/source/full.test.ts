import assert from "node:assert/strict";
import type { Context, ServiceSchema } from "moleculer";
import { jsApi } from "../../../mixins/jetstream.ts";
import { defineService } from "../../../mixins/schema.ts";
import source from "../../../services/source/source.service.ts";
import { eventually } from "../../support/eventually.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { leadsIn } from "../import/support.ts";

const order = { tenant: "acme", provider: "paid", listing: "all", zips: ["60601"], verticals: ["bar"] };
const pages = 3;

/** A provider with three pages of ten, and what it was asked for. `meanwhile` happens while it answers. */
function paid(asked: (string | null)[], meanwhile: (mesh: TestMesh) => Promise<void> = async () => {}) {
  let mesh: TestMesh | undefined;
  const service = defineService({
    name: "listing-paid",
    actions: {
      async page(ctx: Context<{ cursor: string | null }>) {
        const { cursor } = ctx.params;
        asked.push(cursor);
        await meanwhile(mesh!);
        const n = Number(cursor ?? 0);
        const rows = Array.from({ length: 10 }, (_, k) => ({
          raw: { sourceId: `${n}-${k}`, name: `Bar ${n}-${k}`, zip: "60601" },
        }));
        return { rows, unreadable: 0, cursor: n + 1 < pages ? String(n + 1) : null };
      },
    },
  });
  return {
    async start(): Promise<TestMesh> {
      const quick = { ...source, settings: { leaseMs: 20_000, patienceMs: 300 } as object } as ServiceSchema;
      mesh = await startMesh({ services: [quick, service], env: { LEADS_INTAKE_BYTES: "65536" } });
      return mesh;
    },
  };
}

/** Fills the intake to the last byte that an envelope of ours could take. */
async function fill({ nats, names }: TestMesh): Promise<void> {
  const subject = names.intake.subject("other");
  for (const size of [8_192, 64])
    for (let full = false; !full; ) {
      const answer = await nats.request(subject, new Uint8Array(size));
      full = "error" in answer.json<object>();
    }
}
const empty = ({ nats, names }: TestMesh) => jsApi(nats, `STREAM.PURGE.${names.intake.stream}`);
const done = (mesh: TestMesh) =>
  eventually("all work done", async () => {
    const { done } = await mesh.broker.call<{ done: number }, object>("source.progress", { tenant: "acme" });
    return done === 1;
  });

describe("source: pages that cost, and an intake that is full", function () {
  this.timeout(60_000);

  it("asks for none while it is", async () => {
    const asked: (string | null)[] = [];
    await using mesh = await paid(asked).start();
    await fill(mesh);
    await mesh.broker.call("source.enqueue", order);
    // Parked twice: it has looked again.
    await eventually("the item waits", async () => {
      const { state } = await jsApi(mesh.nats, `STREAM.INFO.${mesh.names.park.stream}`);
      return state.last_seq >= 2;
    });
    assert.deepEqual(asked, []);
    await empty(mesh);
    await done(mesh);
    assert.deepEqual(asked, [null, "1", "2"]);
    assert.equal((await leadsIn(mesh.resources, mesh.names.intake.stream)).length, 30);
  });

  it("keeps in hand the page that came when it had become so, and asks for it no second time", async () => {
    const asked: (string | null)[] = [];
    let filled = false;
    await using mesh = await paid(asked, async (one) => {
      if (filled) return;
      filled = true;
      await fill(one);
    }).start();
    const knex = mesh.resources.databases.of("acme");
    const lease = async () => Number((await knex("source_work").first("lease_until"))?.lease_until ?? 0);
    await mesh.broker.call("source.enqueue", order);
    const first = await eventually("it has the item", lease);
    await eventually("it has waited for room, and holds the item longer", async () => (await lease()) > first);
    assert.deepEqual(asked, [null]);
    await empty(mesh);
    await done(mesh);
    assert.deepEqual(asked, [null, "1", "2"]);
    const leads = await leadsIn(mesh.resources, mesh.names.intake.stream);
    assert.equal(new Set(leads.map(({ leadId }) => leadId)).size, 30);
    assert.equal(leads.length, 30);
  });
});
