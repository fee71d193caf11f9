import assert from "node:assert/strict";
import { once } from "node:events";
import { natsServer } from "../../bin/stack/nats.ts";
import { jsApi } from "../../mixins/jetstream.ts";
import { connectNats } from "../../mixins/resources.ts";
import { bareNats } from "../support/bare-nats.ts";
import { eventually } from "../support/eventually.ts";
import { postLead, startGateway } from "../support/gateway.ts";
import { startNode } from "../support/node-process.ts";
import { natsBinary, own, testPlace, withSettings } from "../support/servers.ts";

const lead = { name: "Corner Bakery", city: "Chicago" };

describe("a gateway that comes before what it needs of NATS", function () {
  this.timeout(60_000);

  it("goes on trying while JetStream refuses, and takes leads as soon as it does not", async () => {
    await using place = await testPlace();
    const { names, settings } = place;
    const nc = await connectNats(settings, "test");
    try {
      // Whoever has the intake's subjects keeps it from being made, as too few peers or a full store would.
      const other = `${settings.prefix}-other`;
      await jsApi(nc, `STREAM.CREATE.${other}`, { name: other, subjects: [names.intake.all] });
      await using gateway = await startGateway({ place, env: { LEADS_PROBE_MAX_MS: "1000" } });
      const before = await postLead(gateway, `lf_${"x".repeat(43)}`, lead);
      assert.deepEqual([before.status, before.body.dependency], [503, "keys"]);
      await jsApi(nc, `STREAM.DELETE.${other}`);
      await eventually("it knows who may do what", async () => (await fetch(`${gateway.url}/readyz`)).status === 200);
      const { secret } = await gateway.key("acme", "ingest");
      assert.equal((await postLead(gateway, secret, lead)).status, 202);
    } finally {
      await nc.close();
    }
  });

  it("ends, and says why, when what it waited for cannot be used", async () => {
    const kind = natsServer(await natsBinary());
    let withJetStream = true;
    await using nats = await own(bareNats(kind, () => withJetStream));
    await using place = await testPlace();
    const settings = withSettings(place.settings, { LEADS_NATS_URL: nats.url, LEADS_LOG_LEVEL: "info" });
    const nc = await connectNats(settings, "test");
    await jsApi(nc, "STREAM.CREATE.other", { name: "other", subjects: [place.names.intake.all] });
    await nc.close();
    await using node = startNode(settings, ["services/gateway/gateway.service.ts"]);
    const ended = once(node.process, "close");
    // Its start is over, and what comes now is nobody's who waits for it.
    await eventually("it is up", () => /started successfully/.test(node.output()), { withinMs: 30_000 });
    assert.match(node.output(), /cannot take leads yet/);
    await nats.kill();
    withJetStream = false;
    await nats.start();
    assert.deepEqual(await ended, [1, null]);
    assert.match(node.output(), /"the gateway cannot begin"/);
    assert.match(node.output(), /runs without JetStream/);
  });
});
