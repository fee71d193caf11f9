import assert from "node:assert/strict";
import { headers as natsHeaders } from "nats";
import { headers } from "../../config/names.ts";
import { deadLead } from "../../services/leads/dead-letter.ts";
import { readAccepted } from "../../services/leads/recorder.ts";

const id = "0192f0c1-2b3c-7d4e-8f50-616263646566";
const other = "5d1a2b3c-4d5e-5f60-8171-8293a4b5c6d7";
const bytes = (...ids: string[]) => new Uint8Array(Buffer.from(ids.join("").replaceAll("-", ""), "hex"));
const message = (subject: string, data = new Uint8Array(), importId?: string) => {
  const h = natsHeaders();
  if (importId) h.set(headers.importId, importId);
  return { subject, data, headers: h, storedAt: 1_760_000_000_123 };
};

describe("a message of the accepted stream", () => {
  it("names one lead in its subject, and when it was stored", () => {
    assert.deepEqual(readAccepted(message(`leads.accepted.acme.${id}`)), [
      { tenant: "acme", leadId: id, acceptedAt: 1_760_000_000_123, importId: null },
    ]);
  });

  it("names many by their bytes, with their import", () => {
    const read = readAccepted(message("leads.accepted.acme.many", bytes(id, other), other));
    assert.deepEqual(
      read?.map((a) => [a.leadId, a.importId]),
      [
        [id, other],
        [other, other],
      ],
    );
  });

  it("is read from the middle of a larger buffer", () => {
    const buffer = bytes(other, id);
    assert.equal(readAccepted(message("leads.accepted.acme.many", buffer.subarray(16)))?.[0]?.leadId, id);
  });

  it("is refused when it names no lead", () => {
    for (const m of [
      message("leads.accepted.acme.17"),
      message("leads.accepted.ACME.many", bytes(id)),
      message("leads.accepted.acme.many"),
      message("leads.accepted.acme.many", bytes(id).subarray(1)),
    ])
      assert.equal(readAccepted(m), null, m.subject);
  });

  it("goes without its import when that is no UUID", () => {
    assert.equal(readAccepted(message(`leads.accepted.acme.${id}`, undefined, "x"))?.[0]?.importId, null);
  });
});

describe("a dead letter", () => {
  const letter = (given: object) =>
    new TextEncoder().encode(
      JSON.stringify({ v: 1, stage: "score", error: { type: "TypeError", message: "m" }, ...given }),
    );
  const lead = { leadId: id, tenant: "acme", revision: 5, timeline: [], fields: { name: "n" } };

  it("marks its lead with the stage and the class of the error, not its message", () => {
    const read = deadLead(letter({ lead }));
    assert.equal(read.kind, "lead");
    if (read.kind === "lead")
      assert.deepEqual(
        [read.row.state, read.row.stage, read.row.reason, read.row.revision],
        ["dead", "score", "TypeError", 5],
      );
  });

  it("is no lead's when no lead can be read from it, or the lead is nobody's", () => {
    for (const data of [
      letter({ lead: null }),
      letter({ lead: { ...lead, tenant: "No Tenant" } }),
      new Uint8Array([0xff, 0x00]),
    ])
      assert.equal(deadLead(data).kind, "foreign");
  });

  it("of a work item is none of the record's", () => {
    assert.equal(deadLead(letter({ stage: "source", lead })).kind, "work");
  });
});
