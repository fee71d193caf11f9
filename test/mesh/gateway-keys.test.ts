import assert from "node:assert/strict";
import { createKey, listKeys, revokeKey } from "../../mixins/keys.ts";
import { eventually } from "../support/eventually.ts";
import { postLead, startGateway } from "../support/gateway.ts";
import { ownNats, testPlace } from "../support/servers.ts";

describe("API keys", () => {
  it("open what their scopes say, and nothing else", async () => {
    await using gateway = await startGateway();
    const ingest = await gateway.key("acme", "ingest");
    const read = await gateway.key("acme", "read");
    const platform = await gateway.key("acme", "platform", "operate");
    assert.equal((await postLead(gateway, read.secret, { name: "" })).status, 403);
    assert.equal((await postLead(gateway, platform.secret, { name: "" })).status, 403);
    assert.equal((await postLead(gateway, ingest.secret, { name: "" })).status, 422);
    const list = await gateway.call(ingest.secret, "/v1/leads");
    assert.equal(list.status, 403);
    assert.match(((await list.json()) as { detail: string }).detail, /scope read/);
  });

  it("are taken from X-Api-Key too, and refused when missing, misspelt or unknown", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const post = (headers: Record<string, string>) =>
      fetch(`${gateway.url}/v1/leads`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: "{}",
      });
    assert.equal((await post({ "x-api-key": secret })).status, 422);
    for (const headers of [
      {},
      { authorization: secret },
      { authorization: `Basic ${secret}` },
      { authorization: `Bearer ${secret.slice(0, -1)}` },
      { authorization: `Bearer ${secret}x` },
      { "x-api-key": "lf_" },
    ] as Record<string, string>[]) {
      const answer = await post(headers);
      assert.equal(answer.status, 401, JSON.stringify(headers));
      assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
    }
  });

  it("are kept as hashes: the secret stands nowhere", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const jsm = await gateway.nats.jetstreamManager();
    const stream = `KV_${gateway.names.bucket.keys}`;
    const { state } = await jsm.streams.info(stream);
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await jsm.streams.getMessage(stream, { seq });
      assert.ok(!(message.subject + new TextDecoder().decode(message.data)).includes(secret.slice(3)));
    }
    assert.ok(!JSON.stringify(await listKeys(gateway.nats, gateway.names)).includes(secret.slice(3)));
  });

  it("stop at every gateway within a second of being revoked", async () => {
    await using place = await testPlace();
    await using one = await startGateway({ place });
    await using two = await startGateway({ place });
    const { id, secret } = await one.key("acme", "ingest");
    await two.knows(secret);
    const other = await one.key("acme", "ingest");
    await revokeKey(one.nats, one.names, id);
    for (const gateway of [one, two])
      await eventually("the key is refused", async () => (await postLead(gateway, secret, {})).status === 401, {
        withinMs: 1_000,
      });
    assert.equal((await postLead(one, other.secret, {})).status, 422);
    assert.ok((await revokeKey(one.nats, one.names, id)).revokedAt, "revoking twice is no error");
    await assert.rejects(revokeKey(one.nats, one.names, "0123456789ab"), { type: "NOT_FOUND" });
  });

  it("refuse a tenant or a scope that cannot be, naming it", async () => {
    await using gateway = await startGateway();
    const make = (tenant: string, scopes: string[]) =>
      createKey(gateway.nats, gateway.names, { tenant, scopes: scopes as never });
    await assert.rejects(make("Acme Inc", ["read"]), /tenant: "Acme Inc"/);
    await assert.rejects(make("acme", ["write"]), /scopes: "write"/);
    await assert.rejects(make("acme", []), /scopes/);
  });

  it("are watched again after NATS was killed and has come back", async () => {
    await using nats = await ownNats();
    await using place = await testPlace();
    await using gateway = await startGateway({ place, env: { LEADS_NATS_URL: nats.url } });
    const { id, secret } = await gateway.key("acme", "ingest");
    await nats.kill();
    // What it knew it still knows; it is the mailbox that is out of reach.
    const down = await postLead(gateway, secret, { name: "Bakery", city: "Chicago" });
    assert.equal(down.status, 503);
    assert.equal(down.body.dependency, "nats");
    await nats.start();
    await eventually("leads are taken again", async () => {
      return (await postLead(gateway, secret, { name: "Bakery", city: "Chicago" })).status === 202;
    });
    const fresh = await gateway.key("acme", "ingest");
    await revokeKey(gateway.nats, gateway.names, id);
    await eventually("the old key is refused", async () => (await postLead(gateway, secret, {})).status === 401);
    assert.equal((await postLead(gateway, fresh.secret, {})).status, 422);
  });
});
