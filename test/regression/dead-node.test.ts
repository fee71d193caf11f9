import assert from "node:assert/strict";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../../mixins/broker.ts";
import { eventually } from "../support/eventually.ts";
import { type Proxy as Cut, startProxy } from "../support/proxy.ts";
import { type TestPlace, testPlace, withSettings } from "../support/servers.ts";

/**
 * A node that was killed is missed when its heartbeats are, fifteen seconds later. Till then half of all calls to a service
 * of two instances went to it and were never answered: look-ups failed though an instance stood.
 */
describe("calls to a service of which one instance is gone", () => {
  let place: TestPlace;
  let line: Cut;
  let caller: ServiceBroker;
  let gone: ServiceBroker;
  let left: ServiceBroker;

  beforeEach(async () => {
    place = await testPlace();
    line = await startProxy(place.settings.natsUrl);
    const node = (name: string, url = place.settings.natsUrl) =>
      new ServiceBroker({
        ...brokerOptions(withSettings(place.settings, { LEADS_NATS_URL: url })),
        nodeID: `${name}-${place.settings.prefix}`,
        tracking: { enabled: false },
        skipProcessEventRegistration: true,
      });
    [caller, gone, left] = [node("caller"), node("gone", line.url), node("left")];
    for (const broker of [gone, left]) broker.createService({ name: "who", actions: { are: () => broker.nodeID } });
    await Promise.all([caller.start(), gone.start(), left.start()]);
    await eventually("the caller knows both", async () => {
      const asked = await Promise.all([1, 2, 3, 4].map(() => caller.call<string>("who.are")));
      return new Set(asked).size === 2;
    });
  });
  afterEach(async () => {
    await Promise.all([caller?.stop(), left?.stop()]);
    line?.restore();
    await gone?.stop();
    await line?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });

  it("are answered by the other one, each of them, long before its heartbeats are missed", async () => {
    line.refuse();
    const answers = [];
    for (let n = 0; n < 20; n++)
      answers.push(
        ...(await Promise.all(
          Array.from({ length: 20 }, () => caller.call<string, object>("who.are", {}, { timeout: 5_000 })),
        )),
      );
    assert.deepEqual([...new Set(answers)], [left.nodeID]);
    const known = await caller.call<any[]>("$node.list");
    assert.ok(
      known.some(({ id, available }) => id === gone.nodeID && available),
      "it was missed by then, and nothing was shown",
    );
  });
});
