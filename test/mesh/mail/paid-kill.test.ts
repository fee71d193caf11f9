import assert from "node:assert/strict";
import type { Knex } from "knex";
import budget from "../../../services/budget/budget.service.ts";
import { driftOf } from "../../../services/budget/status.sql.ts";
import sender from "../../../services/email/sender.service.ts";
import { type Child, startService } from "../../support/child.ts";
import { eventually } from "../../support/eventually.ts";
import { mailSettings, statesIn, writeSome } from "../../support/mail.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { SendGrid, sendgridKey } from "../../support/providers/sendgrid.ts";
import { type TestPlace, testPlace } from "../../support/servers.ts";

const price = 400;
const inFlight = 20;
const count = 200;

describe("SendGrid's service, killed between reserve and settle", function () {
  this.timeout(180_000);
  let sendgrid: SendGrid;
  let place: TestPlace;
  let mesh: TestMesh;
  let knex: Knex;
  let child: Child | undefined;

  beforeEach(async () => {
    sendgrid = new SendGrid();
    const url = await sendgrid.open();
    place = await testPlace(
      mailSettings("", {
        LEADS_SENDGRID_KEY: sendgridKey,
        LEADS_SENDGRID_URL: url,
        LEADS_MAIL_CONNECTIONS: String(inFlight),
        LEADS_PROVIDER_TIMEOUT_MS: "2000",
      }),
    );
    const quickSender = { ...sender, settings: { leaseMs: 1_500, pollMs: 30 } as object };
    mesh = await startMesh({ place, services: [quickSender, { ...budget, settings: { sweepMs: 50 } as object }] });
    knex = mesh.resources.databases.of("acme");
  });
  afterEach(async () => {
    await child?.[Symbol.asyncDispose]();
    await mesh?.[Symbol.asyncDispose]();
    await sendgrid[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });

  const open = async () =>
    Number((await knex("budget_entries").where({ state: "reserved" }).count("* as n").first())!["n"]);

  it("sends none twice, loses none unseen, and has paid for at least all that SendGrid took", async () => {
    const kills = 3;
    sendgrid.delay = () => 60;
    await writeSome(knex, count);
    for (let n = 0; n < kills; n++) {
      child = await startService(place.settings, "services/sendgrid/sendgrid.service.ts");
      const enough = sendgrid.taken.length + 15;
      await eventually("some more are taken", () => sendgrid.taken.length >= enough, { withinMs: 30_000 });
      await child[Symbol.asyncDispose]();
    }
    child = await startService(place.settings, "services/sendgrid/sendgrid.service.ts");
    await eventually(
      "all are sent or unknown",
      async () => {
        const states = await statesIn(knex);
        return (states["sent"] ?? 0) + (states["unknown"] ?? 0) === count && states;
      },
      { withinMs: 90_000 },
    );
    await eventually("no reservation is open", async () => (await open()) === 0, { withinMs: 60_000 });

    const taken = new Map<string, number>();
    for (const { headers } of sendgrid.taken)
      taken.set(headers["Message-ID"], (taken.get(headers["Message-ID"]) ?? 0) + 1);
    const rows = await knex("outbox").select("message_id", "state");
    for (const { message_id: id, state } of rows) {
      const times = taken.get(id) ?? 0;
      assert.ok(state === "sent" ? times === 1 : times <= 1, `${state}, taken ${times} times`);
    }
    const unknown = rows.filter(({ state }) => state === "unknown").length;
    assert.ok(unknown > 0 && unknown <= kills * inFlight, `${unknown} unknown`);

    const entries = await knex("budget_entries");
    const paid = entries.filter(({ state }) => state === "settled" || state === "presumed");
    assert.equal(new Set(paid.map(({ effect_key: key }) => key)).size, paid.length, "each effect is paid once");
    assert.ok(paid.length >= sendgrid.taken.length, `${paid.length} paid, ${sendgrid.taken.length} taken`);
    assert.ok(paid.length <= count);
    const keys = new Set(paid.map(({ effect_key: key }) => key));
    for (const id of taken.keys()) assert.ok(keys.has(`sendgrid ${id.slice(1, id.indexOf("@"))} 1`), id);
    const { today, presumed } = await mesh.broker.call<any, object>("budget.status", { tenant: "acme" });
    assert.deepEqual([today.spentMicro, today.reservedMicro], [paid.length * price, 0]);
    assert.ok(presumed > 0, "a kill left reservations that nobody could settle");
    assert.deepEqual(await driftOf(knex), []);
  });
});
