import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { screenshotKey as nameOf } from "../../../config/names.ts";
import { ObjectStore } from "../../../mixins/object-store.ts";
import type { ScreenshotFacts } from "../../../services/leads/lead.ts";
import { type MeshOptions, startMesh, type TestMesh } from "../../support/mesh.ts";
import type { HttpStub } from "../../support/providers/http-stub.ts";
import { picture, screenshotKey, screenshotStub } from "../../support/providers/screenshot.ts";
import { stage } from "../../support/stages.ts";

describe("the picture of a lead's site", () => {
  let stub: HttpStub;
  let mesh: TestMesh;
  let store: ObjectStore;
  const options = (more: Record<string, string> = {}): MeshOptions => ({
    flow: [{ name: "end" }],
    services: [stage("end"), "services/budget/budget.service.ts", "services/screenshot/screenshot.service.ts"],
    env: {
      LEADS_SCREENSHOT_URL: stub.url,
      LEADS_SCREENSHOT_KEY: screenshotKey,
      LEADS_SCREENSHOT_PRICE: "9000",
      ...more,
    },
  });
  before(async function () {
    this.timeout(60_000);
    stub = await screenshotStub();
    mesh = await startMesh(options());
    store = new ObjectStore(mesh.resources.nats, mesh.names.objects.screenshots);
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await stub?.[Symbol.asyncDispose]();
  });
  const take = (leadId: string, host = "joe.example", effect: string = randomUUID(), on = mesh) =>
    on.broker.call<ScreenshotFacts, object>("screenshot.take", {
      tenant: "acme",
      leadId,
      url: `https://${host}/`,
      effect,
    });
  const spent = async () =>
    (await mesh.broker.call<any, object>("budget.status", { tenant: "acme" })).providers.screenshot?.spentMicro ?? 0;

  it("stands in the object store under its tenant and lead, byte for byte, until it is taken away", async () => {
    const leadId = randomUUID();
    const before = Date.now();
    const { status, at } = await take(leadId);
    assert.equal(status, "ok");
    assert.ok(at! >= before);
    assert.deepEqual(Buffer.from((await store.get(nameOf("acme", leadId)))!), picture);
    assert.equal(await store.get(nameOf("zenith", leadId)), null);
    assert.equal(await store.remove(nameOf("acme", leadId)), true);
    assert.equal(await store.remove(nameOf("acme", leadId)), false);
    assert.equal(await store.get(nameOf("acme", leadId)), null);
  });

  it("is paid once for one effect, also when it was taken away meanwhile", async () => {
    const [leadId, effect] = [randomUUID(), randomUUID()];
    const paid = await spent();
    const first = await take(leadId, "joe.example", effect);
    await store.remove(nameOf("acme", leadId));
    assert.deepEqual(await take(leadId, "joe.example", effect), first);
    assert.equal(await spent(), paid + 9_000);
  });

  it("does for a week, however often the lead is told, unless its address is another", async () => {
    const leadId = randomUUID();
    const [paid, served] = [await spent(), stub.served];
    const { at } = await take(leadId);
    assert.ok((await take(leadId)).at! - at! < 5_000);
    assert.equal(await spent(), paid + 9_000);
    await take(leadId, "ann.example");
    assert.equal(await spent(), paid + 18_000);
    const real = Date.now;
    try {
      const later = real() + 8 * 86_400_000;
      Date.now = () => later;
      await take(leadId, "ann.example");
    } finally {
      Date.now = real;
    }
    assert.equal(stub.served, served + 3);
    assert.ok(!JSON.stringify(await store.about(nameOf("acme", leadId))).includes("ann"), "its mark tells of nobody");
  });

  it("is none, for a reason, of a site that is down or has no address; nothing is paid", async () => {
    const paid = await spent();
    for (const [host, reason] of [
      ["failing-joe.example", "host_returned_error"],
      ["nameless-joe.example", "name_not_resolved"],
    ])
      await assert.rejects(take(randomUUID(), host), {
        type: "PROVIDER_REFUSED",
        data: { provider: "screenshot", reason },
      });
    assert.equal(await spent(), paid);
  });

  it("is not taken, nor paid, while the store is full", async () => {
    await using full = await startMesh(options({ LEADS_SCREENSHOT_BYTES: "1048576" }));
    const asked = stub.requests.length;
    await assert.rejects(take(randomUUID(), "joe.example", randomUUID(), full), {
      type: "PROVIDER_REFUSED",
      data: { provider: "screenshot", reason: "store_full" },
    });
    assert.equal(stub.requests.length, asked);
  });

  it("lives as long as the settings say, in a store of the size that they say", async () => {
    const jsm = await mesh.nats.jetstreamManager();
    const { config } = await jsm.streams.info(`OBJ_${mesh.names.objects.screenshots}`);
    assert.equal(config.max_age, 90 * 86_400e9);
    assert.equal(config.max_bytes, 2_147_483_648);
    assert.equal(config.discard, "new");
  });
});
