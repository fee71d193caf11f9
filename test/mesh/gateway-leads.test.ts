import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { eventually } from "../support/eventually.ts";
import { leadsIn, postLead, startGateway } from "../support/gateway.ts";
import { testPlace } from "../support/servers.ts";

describe("POST /v1/leads", () => {
  it("answers 202 with the lead's id and place once the first mailbox has it, under 100 ms", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    await postLead(gateway, secret, { name: "Warm-up", city: "Chicago" });
    const began = performance.now();
    const { status, headers, body } = await postLead(gateway, secret, { name: "Corner Bakery", phone: "773 555 0101" });
    const tookMs = performance.now() - began;
    assert.equal(status, 202);
    assert.equal(body.status, "queued");
    assert.equal(headers.get("location"), `/v1/leads/${body.id}`);
    assert.ok(tookMs < 100, `${tookMs} ms`);
    const lead = (await leadsIn(gateway)).find(({ leadId }) => leadId === body.id);
    assert.equal(lead?.tenant, "acme");
    assert.equal(lead?.fields.phone, "+17735550101");
  });

  it("refuses what is no lead with every fault", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const { status, body } = await postLead(gateway, secret, { sourceId: { a: 1 }, email: "yes", nmae: "x" });
    assert.equal(status, 422);
    const fields = body.faults.map(({ field }: { field: string }) => field);
    for (const field of ["name", "sourceId", "nmae", "lead"])
      assert.ok(fields.includes(field), `${field} in ${fields}`);
    assert.equal((await leadsIn(gateway)).length, 0);
  });

  it("makes the same lead of the same source and source id", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const lead = { name: "Corner Bakery", city: "Chicago", source: "crm", sourceId: "17" };
    const first = await postLead(gateway, secret, lead);
    const second = await postLead(gateway, secret, { ...lead, phone: "773 555 0101" });
    assert.equal(first.body.id, second.body.id);
  });

  it("needs neither PostgreSQL nor Redis nor any other service", async () => {
    await using place = await testPlace();
    await using gateway = await startGateway({
      place,
      env: { LEADS_DATABASE_URL: "postgres://nobody@127.0.0.1:1/none", LEADS_REDIS_URL: "redis://127.0.0.1:1" },
    });
    const { secret } = await gateway.key("acme", "ingest", "read");
    const { status, body } = await postLead(gateway, secret, { name: "Corner Bakery", city: "Chicago" });
    assert.equal(status, 202);
    // And it says that the lead is queued: the record is down, what was accepted is known all the same.
    const read = await gateway.call(secret, `/v1/leads/${body.id}`);
    assert.equal(read.status, 200);
    assert.deepEqual(await read.json(), { id: body.id, status: "queued", timeline: [] });
    const other = await gateway.call(secret, `/v1/leads/${randomUUID()}`);
    assert.equal(other.status, 503);
    const ready = await gateway.call(secret, "/readyz");
    const { status: word, degraded } = (await ready.json()) as { status: string; degraded: string[] };
    assert.equal(ready.status, 200);
    assert.equal(word, "degraded");
    assert.ok(degraded.includes("postgres"), String(degraded));
  });

  it("answers 503 with Retry-After when the mailbox is full, and takes leads again when it is not", async () => {
    await using gateway = await startGateway({ env: { LEADS_MAILBOX_ENVELOPES: "3" } });
    const { secret } = await gateway.key("acme", "ingest");
    const post = (n: number) => postLead(gateway, secret, { name: `Bakery ${n}`, city: "Chicago" });
    for (let n = 0; n < 3; n++) assert.equal((await post(n)).status, 202);
    const full = await post(3);
    assert.equal(full.status, 503);
    assert.equal(full.body.type, "urn:leadfactory:error:mailbox-full");
    assert.ok(Number(full.headers.get("retry-after")) >= 1);
    const ready = await fetch(`${gateway.url}/readyz`);
    assert.equal(ready.status, 503);
    const { checks } = (await ready.json()) as { checks: Record<string, { ok: boolean; detail?: string }> };
    assert.deepEqual(checks["mailbox"], { ok: false, detail: "the mailbox is full" });
    const stream = gateway.names.mailbox("enrich").stream;
    await (await gateway.nats.jetstreamManager()).streams.purge(stream);
    assert.equal((await post(4)).status, 202);
  });

  it("carries request id and trace context to the stages, and gives back the request id", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const { headers } = await postLead(
      gateway,
      secret,
      { name: "Bakery", city: "Chicago" },
      { "x-request-id": "order-17", traceparent },
    );
    assert.equal(headers.get("x-request-id"), "order-17");
    const jsm = await gateway.nats.jetstreamManager();
    const { stream, subject } = gateway.names.mailbox("enrich");
    const message = await jsm.streams.getMessage(stream, { last_by_subj: subject("live") });
    assert.equal(message.header.get("Leads-Request"), "order-17");
    assert.match(
      message.header.get("traceparent"),
      /^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-00$/,
    );
    assert.equal(message.header.get("Leads-Tenant"), "acme");
  });
});

describe("GET /v1/leads/:id", () => {
  it("says queued from the 202 on, never 404, while the record takes the lead over", async () => {
    await using gateway = await startGateway({
      services: ["services/leads/leads.service.ts"],
      env: { LEADS_RATE_LIMIT: "100000" },
    });
    const { secret } = await gateway.key("acme", "ingest", "read");
    for (let n = 0; n < 30; n++) {
      const { body } = await postLead(gateway, secret, { name: `Bakery ${n}`, city: "Chicago" });
      // Read on until the record has it: somewhere between lies the moment where it is in neither of two looks.
      await eventually(
        "the record has the lead",
        async () => {
          const read = await gateway.call(secret, `/v1/leads/${body.id}`);
          assert.equal(read.status, 200);
          const lead = (await read.json()) as { status: string; acceptedAt?: number };
          assert.equal(lead.status, "queued");
          return lead.acceptedAt;
        },
        { everyMs: 1 },
      );
    }
  });

  it("answers 404 for what is nobody's, and for what is no id", async () => {
    await using gateway = await startGateway({ services: ["services/leads/leads.service.ts"] });
    const { secret } = await gateway.key("acme", "read");
    for (const id of [randomUUID(), "17", "..%2f..", "%00", "null"])
      assert.equal((await gateway.call(secret, `/v1/leads/${id}`)).status, 404, id);
  });
});
