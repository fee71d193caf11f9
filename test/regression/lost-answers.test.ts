import assert from "node:assert/strict";
import { ServiceBroker } from "moleculer";
import { namesFor } from "../../config/names.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import { lostAnswers } from "../../mixins/lost-answers.ts";
import { type Proxy as CutLine, startProxy } from "../support/proxy.ts";
import { type TestPlace, testPlace, withSettings } from "../support/servers.ts";

const graceMs = 100;

/**
 * A caller waited for its whole timeout, five minutes for PageSpeed, for an answer that a cut connection had swallowed,
 * and the batch of its stage with it.
 */
describe("a call whose answer was lost with a connection", () => {
  let place: TestPlace;
  let proxy: CutLine;
  let caller: ServiceBroker;
  let answerer: ServiceBroker;
  let called: PromiseWithResolvers<void>;
  const never = new Promise(() => {});

  beforeEach(async () => {
    place = await testPlace();
    proxy = await startProxy(place.settings.natsUrl);
    called = Promise.withResolvers();
  });
  afterEach(async () => {
    await Promise.all([caller?.stop(), answerer?.stop()]);
    await proxy?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });

  async function start(cutOff: "caller" | "answerer"): Promise<void> {
    const node = (name: "caller" | "answerer") =>
      new ServiceBroker({
        ...brokerOptions(withSettings(place.settings, cutOff === name ? { LEADS_NATS_URL: proxy.url } : {})),
        middlewares: [lostAnswers(namesFor(place.settings.prefix), graceMs)],
        nodeID: `${name}-${place.settings.prefix}`,
        tracking: { enabled: false },
        skipProcessEventRegistration: true,
      });
    caller = node("caller");
    answerer = node("answerer");
    answerer.createService({
      name: "slow",
      actions: {
        answer() {
          called.resolve();
          return never;
        },
      },
    });
    await Promise.all([caller.start(), answerer.start()]);
    await caller.waitForServices("slow", 10_000);
  }

  for (const cutOff of ["caller", "answerer"] as const)
    it(`ends when the ${cutOff}'s connection is back, though it has no timeout`, async () => {
      await start(cutOff);
      const call = caller.call("slow.answer", {}, { timeout: 0, retries: 0 }).then(
        () => assert.fail("it was answered"),
        (error) => error,
      );
      await called.promise;
      proxy.silence();
      proxy.restore();
      assert.equal((await call).type, "REQUEST_REJECTED");
    });
});
