import assert from "node:assert/strict";
import { jsApi } from "../../mixins/jetstream.ts";
import { startGateway } from "../support/gateway.ts";

/** It was answered 500, as a fault of ours that no later try would mend, and logged with its stack. */
describe("an operator whose line finds no room in the log of operations", () => {
  it("is told to come again, and nothing is done", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("operators", "platform");
    const { stream } = gateway.names.operations;
    const { config } = await jsApi(gateway.nats, `STREAM.INFO.${stream}`);
    await jsApi(gateway.nats, `STREAM.UPDATE.${stream}`, { ...config, max_bytes: 1 });
    const answer = await gateway.call(secret, "/v1/stages/enrich/pause", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reason: "a test" }),
    });
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers.get("retry-after")) > 0);
    assert.equal(((await answer.json()) as { dependency: string }).dependency, "nats");
    const { state } = await jsApi(gateway.nats, `STREAM.INFO.KV_${gateway.names.bucket.control}`);
    assert.equal(state.messages, 0);
  });
});
