import assert from "node:assert/strict";
import { readPlain, readSendgrid } from "../../../services/email/events.ts";

const leadId = "00000000-0000-4000-8000-000000000001";

describe("an open", () => {
  const told = {
    event: "open",
    sg_event_id: "an-open",
    timestamp: 1_764_000_000,
    useragent: "Mozilla/5.0",
    ip: "192.0.2.1",
    lead_tenant: "acme",
    lead_id: leadId,
    lead_campaign: "spring",
    lead_attempt: "2",
  };
  const read = (more: object = {}) => readSendgrid(Buffer.from(JSON.stringify([{ ...told, ...more }])));
  const opened = {
    id: "an-open",
    kind: "opened",
    at: 1_764_000_000_000,
    leadId,
    reference: { tenant: "acme", campaign: "spring" },
    attempt: 2,
  };

  it("is read of SendGrid's events without where and with what its reader opened it", () => {
    assert.deepEqual(read(), [opened]);
    assert.deepEqual(read({ sg_machine_open: false }), [opened]);
  });

  it("is none when a machine made it", () => {
    assert.deepEqual(read({ sg_machine_open: true }), []);
  });

  it("is read of the plain format", () => {
    const messageId = `<${leadId}.0123456789abcdef@agency.example>`;
    const event = { id: "an-open", messageId, kind: "opened", at: 1_764_000_000_000 };
    assert.deepEqual(readPlain(Buffer.from(JSON.stringify({ events: [event] }))), [{ ...event, leadId }]);
  });
});
