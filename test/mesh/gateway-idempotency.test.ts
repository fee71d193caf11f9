import assert from "node:assert/strict";
import { forgetLeads } from "../../mixins/idempotency.ts";
import { leadsIn, postLead, startGateway } from "../support/gateway.ts";
import { testPlace } from "../support/servers.ts";

const lead = { name: "Corner Bakery", city: "Chicago" };
const key = { "idempotency-key": "order 17" };

describe("an Idempotency-Key", () => {
  it("gives the same answer to the same request, and makes one lead", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const first = await postLead(gateway, secret, lead, key);
    const again = await postLead(gateway, secret, lead, key);
    assert.equal(again.status, 202);
    assert.deepEqual(again.body, first.body);
    assert.equal((await leadsIn(gateway)).length, 1);
  });

  it("answers 409 to another body, and takes nothing in", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    await postLead(gateway, secret, lead, key);
    const other = await postLead(gateway, secret, { ...lead, name: "Other Bakery" }, key);
    assert.equal(other.status, 409);
    assert.equal(other.body.type, "urn:leadfactory:error:conflict");
    assert.equal((await leadsIn(gateway)).length, 1);
  });

  it("is each tenant's own", async () => {
    await using gateway = await startGateway();
    const acme = await gateway.key("acme", "ingest");
    const zenith = await gateway.key("zenith", "ingest");
    const a = await postLead(gateway, acme.secret, lead, key);
    const b = await postLead(gateway, zenith.secret, { ...lead, name: "Other Bakery" }, key);
    assert.equal(b.status, 202);
    assert.notEqual(a.body.id, b.body.id);
  });

  it("can be used anew when the lead that it stood for was forgotten", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const { body } = await postLead(gateway, secret, lead, key);
    assert.equal(await forgetLeads(gateway.nats, gateway.names, { tenant: "acme", leadIds: [body.id] }), 1);
    const anew = { ...lead, name: "Other Bakery" };
    const [first, again] = [await postLead(gateway, secret, anew, key), await postLead(gateway, secret, anew, key)];
    assert.deepEqual([first.status, again.status, again.body.id], [202, 202, first.body.id]);
  });

  it("is not used up by a request that was refused", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    assert.equal((await postLead(gateway, secret, { name: "" }, key)).status, 422);
    assert.equal((await postLead(gateway, secret, lead, key)).status, 202);
  });

  it("is not used up by a request that found the mailbox full", async () => {
    await using gateway = await startGateway({ env: { LEADS_MAILBOX_ENVELOPES: "1" } });
    const { secret } = await gateway.key("acme", "ingest");
    await postLead(gateway, secret, lead);
    assert.equal((await postLead(gateway, secret, lead, key)).status, 503);
    const jsm = await gateway.nats.jetstreamManager();
    await jsm.streams.purge(gateway.names.mailbox("enrich").stream);
    const { status, body } = await postLead(gateway, secret, lead, key);
    assert.equal(status, 202);
    assert.deepEqual(
      (await leadsIn(gateway)).map(({ leadId }) => leadId),
      [body.id],
    );
  });

  it("makes one lead when two gateways get it at once, many times over", async () => {
    await using place = await testPlace({ LEADS_RATE_LIMIT: "100000" });
    await using one = await startGateway({ place });
    await using two = await startGateway({ place });
    const { secret } = await one.key("acme", "ingest");
    await two.knows(secret);
    for (let n = 0; n < 20; n++) {
      const requests = Array.from({ length: 10 }, (_, m) =>
        postLead(m % 2 === 0 ? one : two, secret, lead, { "idempotency-key": `order ${n}` }),
      );
      const answers = await Promise.all(requests);
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
      assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
    }
    const ids = (await leadsIn(one)).map(({ leadId }) => leadId);
    assert.equal(ids.length, 20);
    assert.equal(new Set(ids).size, 20);
  });

  it("is 1 to 255 printable ASCII characters", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    for (const wrong of ["", "x".repeat(256), "caf\u00e9"])
      assert.equal((await postLead(gateway, secret, lead, { "idempotency-key": wrong })).status, 400, wrong);
    assert.equal((await postLead(gateway, secret, lead, { "idempotency-key": "x".repeat(255) })).status, 202);
  });
});
