import assert from "node:assert/strict";
import { jsonOf } from "../../../services/llm/completion.ts";
import { worthTelling } from "../../../services/llm/fallback.ts";
import { costMicro, mostMicro, priceOf } from "../../../services/llm/prices.ts";
import { strictSchema } from "../../../services/llm/strict-schema.ts";

describe("the JSON of a model's answer", () => {
  it("holds nothing that the ledger, which keeps it, cannot store", () => {
    const told = { a: ["x\0y", "half \ud83d", "whole \ud83d\ude00"] };
    const read = jsonOf(`\`\`\`json\n${JSON.stringify(told)}\n\`\`\``);
    assert.deepEqual(read, { ok: true, value: { a: ["xy", "half \ufffd", "whole \ud83d\ude00"] } });
  });
});

describe("the price table of language models", () => {
  const table = ["a-mini=0.4/1.6/0.1", "org/b:free=0/0", "c=3/15"];
  it("has input, output and cached input of a model, in micro-USD a token", () => {
    assert.deepEqual(priceOf(table, "a-mini"), { input: 0.4, output: 1.6, cached: 0.1 });
    assert.deepEqual(priceOf(table, "org/b:free"), { input: 0, output: 0, cached: 0 });
    assert.deepEqual(priceOf(table, "c"), { input: 3, output: 15, cached: 3 });
    assert.equal(priceOf(table, "a"), undefined);
  });

  it("prices what was used, rounded up to the micro-USD", () => {
    const price = priceOf(table, "a-mini")!;
    assert.equal(costMicro(price, { input: 1_000, cached: 0, output: 500 }), 1_200);
    assert.equal(costMicro(price, { input: 1_000, cached: 600, output: 500 }), 1_020);
    assert.equal(costMicro(price, { input: 1, cached: 0, output: 0 }), 1);
    assert.equal(costMicro(price, { input: 3, cached: 0, output: 3 }), 6);
  });

  it("knows the most that a call can cost: a token for each byte that is sent, and all that may come", () => {
    const body = { text: "é".repeat(1_000) };
    const bytes = Buffer.byteLength(JSON.stringify(body));
    assert.ok(mostMicro(priceOf(table, "c")!, body, 2_000) >= bytes * 3 + 2_000 * 15);
  });
});

describe("a schema as language models take it", () => {
  it("is closed, requires everything, and tells its limits in words", () => {
    const schema = {
      type: "object",
      properties: {
        list: { type: "array", maxItems: 3, items: { type: "string", maxLength: 9, description: "A word" } },
      },
    } as const;
    assert.deepEqual(strictSchema(schema), {
      type: "object",
      properties: {
        list: {
          type: "array",
          description: "at most 3 items",
          items: { type: "string", description: "A word; at most 9 characters" },
        },
      },
      required: ["list"],
      additionalProperties: false,
    });
  });
});

describe("the error of two language models", () => {
  const now = 1_000_000;
  const later = (until: number) => ({ type: "PROVIDER_LATER", data: { until } });
  const [off, over, refused, down] = ["PROVIDER_OFF", "OVER_BUDGET", "PROVIDER_REFUSED", "OUTAGE"].map((type) => ({
    type,
  }));
  it("is that of the one that can be asked again soonest", () => {
    assert.equal(worthTelling([later(now + 9), down!], now), down);
    const soon = later(now + 5);
    assert.equal(worthTelling([later(now + 9), soon], now), soon);
    assert.equal(worthTelling([over!, down!], now), down);
  });
  it("is that of the budget that opens again, rather than one that waiting does not mend", () => {
    const tomorrow = { type: "OVER_BUDGET", data: { until: now + 86_400_000 } };
    for (const other of [over!, refused!, off!]) assert.equal(worthTelling([other, tomorrow], now), tomorrow);
    assert.equal(worthTelling([tomorrow, later(now + 9)], now).type, "PROVIDER_LATER");
  });
  it("is the first one's that is more than off, where waiting mends neither", () => {
    assert.equal(worthTelling([off!, over!], now), over);
    assert.equal(worthTelling([over!, refused!], now), over);
    assert.equal(worthTelling([off!, off!], now), off);
  });
});
