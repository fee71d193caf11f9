import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { operators, startGateway } from "../support/gateway.ts";

/**
 * A message that is nobody's was told of with the tenant "", where the schema, the page and the prompt take an absent one
 * for nobody's. The page asked for the letter without a tenant, which is the key's own, and was answered 404: whoever
 * followed "what needs a look" to an unreadable message could neither see nor discard it.
 */
describe("a dead letter that is nobody's", () => {
  it("is told of without a tenant, wherever it is told of", async () => {
    await using gateway = await startGateway({ services: ["services/leads/leads.service.ts", ...operators] });
    const { secret } = await gateway.key("operators", "read", "platform");
    const ask = async (path: string) => (await (await gateway.call(secret, path)).json()) as any;
    await gateway.nats.jetstream().publish(gateway.names.dead.subject("score", "unknown"), "no letter at all");
    const listed = await eventually("it is filed", async () => (await ask("/v1/dead-letters?tenant=*")).items?.[0]);
    const { oldest } = await ask("/v1/dead-letters/counts?tenant=*");
    const letter = await ask(`/v1/dead-letters/${listed.id}?tenant=*`);
    for (const told of [listed, oldest, letter])
      assert.deepEqual([told.id, told.kind, told.tenant], [listed.id, "foreign", undefined]);
  });
});
