import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { operators, stages, startGateway } from "../support/gateway.ts";
import { askedAbout } from "../support/reviews.ts";

describe("what an operator decides about doubles", () => {
  it("stands in the log of operations, a merge and its undoing", async function () {
    this.timeout(60_000);
    await using gateway = await startGateway({ services: [...stages, ...operators] });
    const { secret } = await gateway.key("acme", "ingest", "read", "operate");
    const send = async (method: string, path: string, body?: object): Promise<any> => {
      const init = body
        ? { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } }
        : { method };
      return (await gateway.call(secret, path, init)).json();
    };
    const { id, leads } = await askedAbout(gateway, secret);
    const { winner } = await send("POST", `/v1/reviews/${id}`, { decision: "merge" });
    const loser = leads.find((lead) => lead.id !== winner)!;
    await send("POST", `/v1/leads/${loser.id}/unmerge`);
    const items: any[] = await eventually("both are told", async () => {
      const { items } = await send("GET", "/v1/operations");
      return items.filter(({ result }: any) => result === "done").length === 2 && items;
    });
    assert.deepEqual(
      items.map(({ what, target, detail }) => [what, target, detail]),
      [
        ["lead.unmerge", loser.id, {}],
        ["review.decide", id, { decision: "merge" }],
      ],
    );
  });
});
