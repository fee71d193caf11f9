import assert from "node:assert/strict";
import { ensureShared } from "../../../mixins/jetstream.ts";
import { ProviderGate } from "../../../mixins/provider/gate.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";

const noon = Date.UTC(2026, 10, 23, 12);

describe("a provider's gate", () => {
  let mesh: TestMesh;
  let clock = noon;
  before(async function () {
    this.timeout(60_000);
    mesh = await startMesh({ services: [] });
    await ensureShared(mesh.nats, mesh.names, mesh.settings);
  });
  beforeEach(() => {
    clock = noon;
  });
  after(() => mesh?.[Symbol.asyncDispose]());

  const gate = (provider: string, dailyCalls = 1_000) =>
    new ProviderGate({ nats: mesh.resources.nats, names: mesh.names, provider, dailyCalls, now: () => clock });
  const refusedUntil = async (what: Promise<unknown>) => {
    const error = (await what.then(
      () => assert.fail("it was let through"),
      (e: unknown) => e,
    )) as { type: string; data: { until: number } };
    assert.equal(error.type, "PROVIDER_LATER");
    return error.data.until;
  };

  it("closes for all instances at once, for as long as the provider said", async () => {
    const [one, other] = [gate("told"), gate("told")];
    await other.check();
    await one.closeFor(120_000);
    assert.equal(await refusedUntil(other.check()), noon + 120_000);
    await one.closeFor(1_000);
    assert.equal(await refusedUntil(other.check()), noon + 120_000, "a shorter word does not open it");
    clock = noon + 120_000;
    await other.check();
  });

  it("closes for a time that doubles where the provider says nothing, once for many who hear it together", async () => {
    const instances = Array.from({ length: 8 }, () => gate("mute"));
    const untils = await Promise.all(instances.map((one) => one.closeFor(null)));
    assert.deepEqual(new Set(untils), new Set([noon + 5_000]));
    clock = noon + 6_000;
    assert.equal(await instances[3]!.closeFor(null), clock + 10_000);
    clock += 11_000;
    assert.equal(await instances[4]!.closeFor(null), clock + 20_000);
    clock += 20_000 + 11 * 60_000;
    assert.equal(await instances[5]!.closeFor(null), clock + 5_000, "it was long ago");
  });

  it("is read twice for a hundred that ask at once, and shows each what was closed before it asked", async () => {
    const [one, other] = [gate("crowd"), gate("crowd")];
    await Promise.all([one.check(), other.check()]);
    const nc = await mesh.resources.nats();
    const before = nc.stats().outMsgs;
    const early = Promise.allSettled(Array.from({ length: 99 }, () => one.check()));
    await other.closeFor(60_000);
    const late = one.check();
    assert.equal(await refusedUntil(late), noon + 60_000);
    await early;
    assert.ok(nc.stats().outMsgs - before < 20, "a request for each would be a hundred");
  });

  it("hands out a day's calls to all instances together, and not one more", async () => {
    const instances = Array.from({ length: 5 }, () => gate("quota", 37));
    const results = await Promise.allSettled(Array.from({ length: 100 }, (_, n) => instances[n % 5]!.take()));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 37);
    assert.equal(await refusedUntil(instances[0]!.take()), Date.UTC(2026, 10, 24));
    clock = Date.UTC(2026, 10, 24);
    await instances[0]!.take();
  });

  it("hands out portions of a large day, and never more than it has", async () => {
    const instances = Array.from({ length: 4 }, () => gate("large", 1_005));
    let taken = 0;
    await Promise.all(
      instances.map(async (one) => {
        for (;;) {
          try {
            await one.take();
            taken++;
          } catch (error) {
            assert.equal((error as { type: string }).type, "PROVIDER_LATER");
            return;
          }
        }
      }),
    );
    assert.equal(taken, 1_005);
  });
});
