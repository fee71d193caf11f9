import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { screenshotKey as nameOf } from "../../config/names.ts";
import { tellErased } from "../../mixins/erased.ts";
import { ObjectStore } from "../../mixins/object-store.ts";
import { eventually } from "../support/eventually.ts";
import { startMesh } from "../support/mesh.ts";
import { picture, screenshotKey } from "../support/providers/screenshot.ts";
import { stage } from "../support/stages.ts";

describe("a lead that is erased while a provider is being asked about it", function () {
  this.timeout(60_000);

  it("leaves no picture and no answer behind, however long the call took; and nobody is asked again", async () => {
    const asked: ServerResponse[] = [];
    const server = createServer((_request, response) => void asked.push(response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      await using mesh = await startMesh({
        flow: [{ name: "end" }],
        services: [stage("end"), "services/budget/budget.service.ts", "services/screenshot/screenshot.service.ts"],
        env: {
          LEADS_SCREENSHOT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
          LEADS_SCREENSHOT_KEY: screenshotKey,
          LEADS_SCREENSHOT_PRICE: "9000",
        },
      });
      const [tenant, leadId] = ["acme", randomUUID()];
      const take = () =>
        mesh.broker.call<unknown, object>("screenshot.take", {
          tenant,
          leadId,
          url: "https://joe.example/",
          effect: randomUUID(),
        });
      const taken = take();
      await eventually("the provider is asked", () => asked.length === 1);
      await tellErased(mesh.nats, mesh.names, tenant, [leadId]);
      const known = await mesh.resources.erased();
      await eventually("it is known", () => known.has(tenant, leadId));
      asked[0]!.writeHead(200, { "content-type": "image/jpeg" }).end(picture);

      const refused = { type: "PROVIDER_REFUSED", data: { provider: "screenshot", reason: "erased" } };
      await assert.rejects(taken, refused);
      assert.equal(
        await new ObjectStore(mesh.resources.nats, mesh.names.objects.screenshots).get(nameOf(tenant, leadId)),
        null,
      );
      const entries = await mesh.resources.databases.of(tenant)("budget_entries").select("state", "answer");
      assert.deepEqual(entries, [{ state: "settled", answer: null }], "paid, and what it brought is not kept");
      await assert.rejects(take(), refused);
      assert.equal(asked.length, 1);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
