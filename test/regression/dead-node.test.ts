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
    gone.createService({ name: "alone", actions: { is: () => gone.nodeID } });
    await Promise.all([caller.start(), gone.start(), left.start()]);
    await caller.waitForServices("alone", 10_000);
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

  const stillKnown = async () => {
    const known = await caller.call<any[]>("$node.list");
    return known.some(({ id, available }) => id === gone.nodeID && available);
  };

  /** Cuts it off, and waits until NATS knows: what is sent to it before is lost, and is waited for. */
  const cutOff = async () => {
    const { tx } = caller.transit as any;
    line.refuse();
    await eventually("NATS has missed it", async () => {
      const error = await tx.client
        .request(tx.getTopicName("REQ", gone.nodeID), "", { timeout: 200 })
        .catch((e: Error) => e);
      return error.code === "503";
    });
  };

  it("are answered by the other one, each of them, long before its heartbeats are missed", async () => {
    await cutOff();
    const answers = [];
    for (let n = 0; n < 20; n++)
      answers.push(
        ...(await Promise.all(
          Array.from({ length: 20 }, () => caller.call<string, object>("who.are", {}, { timeout: 5_000 })),
        )),
      );
    assert.deepEqual([...new Set(answers)], [left.nodeID]);
    assert.ok(await stillKnown(), "it was missed by then, and nothing was shown");
  });

  // An e-mail is handed over by a call that is made once: told as one that may have arrived, each that was due in those
  // fifteen seconds was of unknown fate.
  it("say that they have reached nobody where there is no other, and are not to be made again", async () => {
    await cutOff();
    const fault = await caller
      .call<any, object>("alone.is", {}, { retries: 0, timeout: 5_000 })
      .catch((error) => error);
    assert.equal(fault.type, "SERVICE_NOT_AVAILABLE");
    assert.ok(await stillKnown(), "it was missed by then, and nothing was shown");
  });
});
