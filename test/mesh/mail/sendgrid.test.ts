import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import sender from "../../../services/email/sender.service.ts";
import { eventually } from "../../support/eventually.ts";
import { mailSettings, statesIn, writeSome } from "../../support/mail.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";

const key = "SG.a-key-of-this-test";
const quickSender = { ...sender, settings: { leaseMs: 1_500, pollMs: 30 } as object };

/**
 * Mail Send as documented, and its refusals:
 * https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
 */
class SendGrid implements AsyncDisposable {
  readonly taken: any[] = [];
  /** What the next requests meet, before anything is looked at. */
  readonly faults: ("cut" | "cut after" | number)[] = [];
  readonly #server: Server;
  constructor() {
    this.#server = createServer((req, res) => void this.#answer(req, res));
  }
  async open(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const refuse = (status: number, message: string) =>
      res
        .writeHead(status, { "content-type": "application/json" })
        .end(JSON.stringify({ errors: [{ message, field: null, help: null }] }));
    const fault = this.faults.shift();
    if (fault === "cut") return void req.socket.destroy();
    const body = (await json(req)) as any;
    if (typeof fault === "number") return void refuse(fault, "too many requests");
    if (req.method !== "POST" || req.url !== "/v3/mail/send") return void refuse(404, "not found");
    if (req.headers.authorization !== `Bearer ${key}`)
      return void refuse(401, "The provided authorization grant is invalid, expired, or revoked");
    const known = ["personalizations", "from", "subject", "content", "headers", "tracking_settings"];
    const [one] = body.personalizations ?? [];
    const isRight =
      Object.keys(body).every((field) => known.includes(field)) &&
      one?.to?.length === 1 &&
      Object.values(one.custom_args).every((value) => typeof value === "string") &&
      body.from?.email &&
      body.content?.[0]?.type === "text/plain" &&
      body.content?.[1]?.type === "text/html" &&
      body.content.every(({ value }: { value: string }) => value.length > 0);
    if (!isRight) return void refuse(400, "Bad Request");
    this.taken.push(body);
    if (fault === "cut after") return void req.socket.destroy();
    res.writeHead(202, { "x-message-id": "14c5d75ce93" }).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

describe("sending by SendGrid", function () {
  this.timeout(60_000);
  let sendgrid: SendGrid;
  let mesh: TestMesh;
  const start = async (withKey = key) => {
    sendgrid = new SendGrid();
    const url = await sendgrid.open();
    mesh = await startMesh({
      services: [quickSender, "services/sendgrid/sendgrid.service.ts"],
      env: mailSettings("", { LEADS_SENDGRID_KEY: withKey, LEADS_SENDGRID_URL: url }),
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
  });

  it("waits when it is told to, and does not send again what SendGrid may have", async () => {
    const knex = await start();
    sendgrid.faults.push(429, 503, "cut after", 500);
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
