import assert from "node:assert/strict";
import sender from "../../../services/email/sender.service.ts";
import { eventually } from "../../support/eventually.ts";
import { mailSettings, statesIn, writeSome } from "../../support/mail.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { SendGrid, sendgridKey } from "../../support/providers/sendgrid.ts";

const quickSender = { ...sender, settings: { leaseMs: 1_500, pollMs: 30 } as object };

describe("sending by SendGrid", function () {
  this.timeout(60_000);
  let sendgrid: SendGrid;
  let mesh: TestMesh;
  const start = async (withKey = sendgridKey, more: Record<string, string> = {}) => {
    sendgrid = new SendGrid();
    const url = await sendgrid.open();
    mesh = await startMesh({
      services: [quickSender, "services/sendgrid/sendgrid.service.ts", "services/budget/budget.service.ts"],
      env: mailSettings("", { LEADS_SENDGRID_KEY: withKey, LEADS_SENDGRID_URL: url, ...more }),
    });
    return mesh.resources.databases.of("acme");
  };
  afterEach(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await sendgrid?.[Symbol.asyncDispose]();
  });
  const states = (knex: Awaited<ReturnType<typeof start>>, expected: Record<string, number>) =>
    eventually(`the e-mails are ${JSON.stringify(expected)}`, async () => {
      assert.deepEqual(await statesIn(knex), expected);
      return true;
    });

  it("says who it is, what it may not touch, and what comes back with the events", async () => {
    const knex = await start();
    const [mail] = await writeSome(knex, 1);
    await states(knex, { sent: 1 });
    const [body] = sendgrid.taken;
    assert.deepEqual(body.personalizations, [
      {
        to: [{ email: mail!.to }],
        custom_args: { lead_tenant: "acme", lead_id: mail!.leadId, lead_campaign: "first-contact", lead_attempt: "1" },
      },
    ]);
    assert.equal(body.headers["Message-ID"], mail!.messageId);
    assert.equal(body.headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click");
    assert.equal(body.tracking_settings.click_tracking.enable, false);
    assert.deepEqual(body.tracking_settings.open_tracking, { enable: false });
    assert.deepEqual(
      body.content.map(({ type }: { type: string }) => type),
      ["text/plain", "text/html"],
    );
  });

  it("asks for opens where they are to be tracked", async () => {
    const knex = await start(sendgridKey, { LEADS_OPEN_TRACKING: "on" });
    await writeSome(knex, 1);
    await states(knex, { sent: 1 });
    assert.deepEqual(sendgrid.taken[0].tracking_settings.open_tracking, { enable: true });
  });

  it("waits when it is told to, and does not send again what SendGrid may have", async () => {
    const knex = await start();
    sendgrid.faults.push(429, 503, 404, 415, "cut after", 500);
    await writeSome(knex, 6);
    await states(knex, { sent: 4, unknown: 2 });
    assert.equal(sendgrid.taken.length, 5);
    const ids = sendgrid.taken.map(({ headers }) => headers["Message-ID"]);
    assert.equal(new Set(ids).size, 5);
  });

  it("waits, and burns no try, while its key is refused", async () => {
    const knex = await start("SG.another-key");
    await writeSome(knex, 2);
    const state = () => mesh.broker.call<any, object>("sender.state", {});
    await eventually("it says why", async () => (await state()).senders[0].reason === "SendGrid answered 401");
    await mesh.stop();
    assert.deepEqual(await knexStates(), { written: 2 });
  });

  /** The mesh's own connections are closed by now. */
  async function knexStates() {
    const { openDatabase } = await import("../../../mixins/knex.ts");
    const knex = openDatabase({ ...mesh.settings, databasePool: 1 });
    try {
      const attempts = await knex("outbox").pluck("attempts");
      assert.deepEqual(attempts, [0, 0]);
      return await statesIn(knex);
    } finally {
      await knex.destroy();
    }
  }
});
