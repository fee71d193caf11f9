import assert from "node:assert/strict";
import { ServiceBroker } from "moleculer";
import { namesFor } from "../../config/names.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import { lostAnswers } from "../../mixins/lost-answers.ts";
import { Unheard } from "../../mixins/unheard.ts";
import { type Proxy as CutLine, startProxy } from "../support/proxy.ts";
import { type OwnServer, ownNats, type TestPlace, testPlace, withSettings } from "../support/servers.ts";

const graceMs = 2_000;

/**
 * The NATS client throws away what is published while its connection is away, and what was on its way is lost: a caller
 * waited for its whole timeout, five minutes for PageSpeed, for an answer that would not come, and the batch of its stage
 * with it.
 */
describe("a call whose answer was lost with a connection", () => {
  let place: TestPlace;
  let proxy: CutLine;
  let server: OwnServer | undefined;
  let caller: ServiceBroker;
  let answerer: ServiceBroker;
  let called: PromiseWithResolvers<void>;
  let answer: PromiseWithResolvers<string>;

  beforeEach(async () => {
    place = await testPlace();
    proxy = await startProxy(place.settings.natsUrl);
    called = Promise.withResolvers();
    answer = Promise.withResolvers();
  });
  afterEach(async () => {
    await Promise.all([caller?.stop(), answerer?.stop()]);
    await server?.[Symbol.asyncDispose]();
    server = undefined;
    await proxy?.[Symbol.asyncDispose]();
    await place?.[Symbol.asyncDispose]();
  });

  async function start(urlOf: (name: "caller" | "answerer") => string): Promise<void> {
    const node = (name: "caller" | "answerer") =>
      new ServiceBroker({
        ...brokerOptions(withSettings(place.settings, { LEADS_NATS_URL: urlOf(name) })),
        middlewares: [lostAnswers(namesFor(place.settings.prefix), new Unheard(), graceMs)],
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
          return answer.promise;
        },
      },
    });
    await Promise.all([caller.start(), answerer.start()]);
    await caller.waitForServices("slow", 10_000);
  }

  for (const cutOff of ["caller", "answerer"] as const)
    it(`ends when the ${cutOff}'s connection is back, though it has no timeout`, async () => {
      await start((name) => (cutOff === name ? proxy.url : place.settings.natsUrl));
      const call = caller.call("slow.answer", {}, { timeout: 0, retries: 0 }).then(
        () => assert.fail("it was answered"),
        (error) => error,
      );
      await called.promise;
      proxy.silence();
      proxy.restore();
      assert.equal((await call).type, "REQUEST_REJECTED");
    });

  it("waits where it is while there is no connection, and arrives when there is one", async () => {
    server = await ownNats();
    const { url } = server;
    await start(() => url);
    const call = caller.call("slow.answer", {}, { timeout: 0, retries: 0 });
    await called.promise;
    await server.kill();
    await new Promise((resolve) => setTimeout(resolve, 100));
    answer.resolve("late");
    await server.start();
    assert.equal(await call, "late");
  });
});
