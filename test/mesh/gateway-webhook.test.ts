import assert from "node:assert/strict";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { json } from "node:stream/consumers";
import { eventually } from "../support/eventually.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { signPlain } from "../support/mail.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { type TestPlace, testPlace } from "../support/servers.ts";

const secret = "a-secret-of-this-test-that-signs-events";
const limit = 4_194_304;
const atOnce = 32;

/** The gateway and the service behind it in nodes of their own: what one tells the other goes through NATS. */
describe("the webhook of e-mails", function () {
  this.timeout(60_000);
  let place: TestPlace;
  let mail: TestMesh;
  let gateway: TestGateway;
  before(async () => {
    place = await testPlace({ LEADS_MAIL_EVENT_SECRETS: secret });
    mail = await startMesh({ place, services: ["services/email/mail.service.ts"] });
    gateway = await startGateway({ place });
    await gateway.broker.waitForServices("mail", 20_000);
  });
  after(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await mail?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });

  /** A request whose head alone was sent; `answered` has its answer. */
  function begin(headers: Record<string, string>): { req: ClientRequest; answered: Promise<IncomingMessage> } {
    const req = request(`${gateway.url}/v1/webhooks/email`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      req.once("response", resolve).on("error", reject);
    });
    answered.catch(() => {});
    req.flushHeaders();
    return { req, answered };
  }
  async function post(body: string, headers: Record<string, string>): Promise<{ status: number; body: any }> {
    const { req, answered } = begin(headers);
    req.end(body);
    const answer = await answered;
    return { status: answer.statusCode!, body: await json(answer) };
  }
  /** Events of nobody, with so much white space that the body has this size. */
  const padded = (bytes: number) => {
    const body = JSON.stringify({ events: [] });
    return body.slice(0, -1) + " ".repeat(bytes - body.length) + body.slice(-1);
  };
  const signed = (body: string) => ({ "Leads-Signature": signPlain(body, secret, Date.now()) });

  it("takes as large a body as it says, whichever process it goes on to", async () => {
    const body = padded(limit);
    assert.deepEqual(await post(body, signed(body)), { status: 200, body: { applied: 0, repeat: 0, stranger: 0 } });
  });

  it("refuses a larger one", async () => {
    const { answered } = begin({ ...signed("{}"), "content-length": String(limit + 1) });
    assert.equal((await answered).statusCode, 413);
  });

  it("refuses what is not signed before it reads any of it", async () => {
    const { req, answered } = begin({ "content-length": String(limit) });
    const answer = await answered;
    assert.equal(answer.statusCode, 401);
    assert.match(((await json(answer)) as { detail: string }).detail, /no header Leads-Signature or X-Twilio/);
    req.destroy();
  });

  it("has so many bodies in hand at the most, and takes the next when one is done", async () => {
    const { inHand } = gateway.broker.getLocalService("gateway") as unknown as { inHand: Map<string, number> };
    const body = JSON.stringify({ events: [] });
    const slow = Array.from({ length: atOnce }, () =>
      begin({ ...signed(body), "content-length": String(body.length) }),
    );
    try {
      await eventually("they are in hand", () => inHand.get("mailEvents") === atOnce);
      const { req, answered } = begin({ ...signed(body), "content-length": String(body.length) });
      const refused = await answered;
      req.destroy();
      assert.equal(refused.statusCode, 503);
      assert.ok(Number(refused.headers["retry-after"]) > 0);
      for (const { req } of slow) req.end(body);
      for (const { answered } of slow) assert.equal((await answered).statusCode, 200);
      assert.equal((await post(body, signed(body))).status, 200);
      assert.equal(inHand.get("mailEvents"), 0);
    } finally {
      for (const { req } of slow) req.destroy();
    }
  });
});
