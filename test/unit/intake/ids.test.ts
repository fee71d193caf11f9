import assert from "node:assert/strict";
import { derivedId, importIdOf, leadIdOf, leadIdOfKey, leadIdOfRow } from "../../../services/intake/ids.ts";
import { uuidv7 } from "../../../services/intake/uuidv7.ts";
import { accepted } from "./support.ts";

describe("intake: ids", () => {
  it("gives the same source key the same id, for ever", () => {
    assert.equal(leadIdOf("acme", "list", "7"), "3513e409-5afd-589d-80a9-8cb6615cf924");
    assert.equal(leadIdOf("acme", "list", "7"), leadIdOf("acme", "list", "7"));
  });

  it("gives different ids to whatever differs, also where parts would read alike when joined", () => {
    const ids = [
      leadIdOf("acme", "list", "7"),
      leadIdOf("acme", "list", "8"),
      leadIdOf("acme", "list7", ""),
      leadIdOf("acme", "lis", "t7"),
      leadIdOf("acmel", "ist", "7"),
      leadIdOf("acme", 'list","7', ""),
      leadIdOfKey("acme", "7"),
      leadIdOfRow("acme", 7),
      importIdOf("acme", "list", "7"),
      derivedId("lead", "acme", "list", "7", ""),
    ];
    assert.equal(new Set(ids).size, ids.length);
  });

  it("makes UUIDs of version 5 and 7, those of 7 in the order of their time", () => {
    assert.match(leadIdOf("a", "b", "c"), /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.match(uuidv7(), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.ok(uuidv7(1_000) < uuidv7(1_001));
    assert.ok(uuidv7(1_700_000_000_000).startsWith("018bcfe5-6800-7"));
    assert.notEqual(uuidv7(1), uuidv7(1));
  });

  it("prefers the source key to the idempotency key, and that to a new id", () => {
    const raw = { name: "A", phone: "3125550100" };
    assert.equal(accepted({ ...raw, sourceId: "7" }, { idempotencyKey: "k" }).leadId, leadIdOf("acme", "test", "7"));
    assert.equal(accepted(raw, { idempotencyKey: "k" }).leadId, leadIdOfKey("acme", "k"));
    assert.equal(accepted(raw).leadId, "01890000-0000-7000-8000-000000000000");
    assert.equal(accepted({ ...raw, sourceId: " 7\u0000 " }).leadId, leadIdOf("acme", "test", "7"));
  });
});
