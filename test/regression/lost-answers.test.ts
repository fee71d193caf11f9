import assert from "node:assert/strict";
import { ServiceBroker } from "moleculer";
import { namesFor } from "../../config/names.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import { lostAnswers } from "../../mixins/lost-answers.ts";
import { Unheard } from "../../mixins/unheard.ts";
import { eventually } from "../support/eventually.ts";
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
  /** The calls that came, by the timeout that they told. */
  let asked: (number | undefined)[];
  const isConnected = ({ transit }: ServiceBroker) => (transit as any).tx.client.protocol.connected as boolean;

  beforeEach(async () => {
    place = await testPlace();
    proxy = await startProxy(place.settings.natsUrl);
    called = Promise.withResolvers();
    answer = Promise.withResolvers();
    asked = [];
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
        answer({ params }: { params: { timeout?: number } }) {
          asked.push(params.timeout);
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

  it("is not made when the connection is back, where its caller has given up", async () => {
    server = await ownNats();
    const { url } = server;
    await start(() => url);
    await server.kill();
    await eventually("the caller has noticed", () => !isConnected(caller));
    const calls = [100, 0].map((timeout) => caller.call("slow.answer", { timeout }, { timeout, retries: 0 }));
    await assert.rejects(calls[0]!, { type: "REQUEST_TIMEOUT" });
    answer.resolve("late");
    await server.start();
    assert.equal(await calls[1], "late");
    assert.deepEqual(asked, [0]);
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
