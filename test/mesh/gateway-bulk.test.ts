import assert from "node:assert/strict";
import { request } from "node:http";
import { eventually } from "../support/eventually.ts";
import { leadsIn, postBulk, startGateway } from "../support/gateway.ts";

const row = (n: number, more: object = {}) =>
  `${JSON.stringify({ name: `Bakery ${n}`, city: "Chicago", sourceId: String(n), ...more })}\n`;
const rows = (count: number, from = 1) => Array.from({ length: count }, (_, n) => row(from + n)).join("");

describe("POST /v1/leads/bulk", () => {
  it("takes NDJSON in row by row, refuses what is no lead with its line, and goes on", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const body = `${row(1)}not json\n\n${row(2)}{"name":"Nowhere"}\n[1]\n${row(3)}`.trimEnd();
    const { status, body: counts } = await postBulk(gateway, secret, body, { query: "source=crm" });
    assert.equal(status, 200);
    assert.deepEqual(
      { ...counts, importId: undefined, refusedRows: counts.refusedRows.map(({ line }: { line: number }) => line) },
      { importId: undefined, rows: 6, accepted: 3, refused: 3, refusedRows: [2, 5, 6], truncated: false },
    );
    assert.match(counts.refusedRows[1].faults[0].message, /phone number, an e-mail address/);
    const leads = await leadsIn(gateway, "intake");
    assert.deepEqual(
      leads.map(({ sourceId }) => sourceId),
      ["1", "2", "3"],
    );
    assert.ok(leads.every(({ tenant, source }) => tenant === "acme" && source === "crm"));
  });

  it("takes CSV in by a mapping, with the default area code", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const csv = `Site name,Telephone no,Note\n"Corner ""Best"" Bakery",555-0101,"a\nb"\nNowhere,,\nMill,(312) 555-0102,x\n`;
    const map = encodeURIComponent("name=Site name,phone=Telephone no");
    const answer = await postBulk(gateway, secret, csv, { query: `map=${map}&areaCode=773`, type: "text/csv" });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.accepted, 2);
    assert.deepEqual(
      answer.body.refusedRows.map(({ line }: { line: number }) => line),
      [4],
    );
    const leads = await leadsIn(gateway, "intake");
    assert.deepEqual(
      leads.map(({ fields }) => [fields.name, fields.phone]),
      [
        ['Corner "Best" Bakery', "+17735550101"],
        ["Mill", "+13125550102"],
      ],
    );
  });

  it("takes a mapping whose columns ask something, with their question marks as they are (RFC 3986, 3.4)", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const csv = "Who?,Where?\nCorner Bakery,60601\n";
    const answer = await postBulk(gateway, secret, csv, {
      query: "map=name=Who?,zip=Where?&source=crm?",
      type: "text/csv",
    });
    assert.deepEqual([answer.status, answer.body.accepted], [200, 1]);
    const [lead] = await leadsIn(gateway, "intake");
    assert.deepEqual([lead!.fields.name, lead!.fields.address?.zip, lead!.source], ["Corner Bakery", "60601", "crm?"]);
  });

  it("refuses a mapping or a header that does not fit, and a body of another type", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const post = (body: string, query: string, type: string, headers = {}) =>
      postBulk(gateway, secret, body, { query, type, headers });
    const wrongMap = await post("a,b\n1,2\n", "map=nmae%3Da", "text/csv");
    assert.equal(wrongMap.status, 422);
    assert.equal(wrongMap.body.faults[0].field, "nmae");
    assert.equal((await post("a,b\n1,2\n", "", "text/csv")).status, 422);
    assert.equal((await post("a,b\n1,2\n", "areaCode=77", "text/csv")).status, 422);
    assert.equal((await post(row(1), "", "application/json")).status, 415);
    assert.equal((await post(row(1), "", "application/x-ndjson; charset=latin1")).status, 415);
    assert.equal((await post(row(1), "", "application/x-ndjson", { "content-encoding": "gzip" })).status, 415);
    assert.equal((await leadsIn(gateway, "intake")).length, 0);
  });

  it("takes no ids from a CSV that does not say of which list they are: the next list has them, too", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const post = (csv: string, query = "") => postBulk(gateway, secret, csv, { query, type: "text/csv" });
    const [first, second] = ["id,name,city\n1,Mill,Chicago\n", "id,name,city\n1,Corner Bakery,Chicago\n"];
    const refused = await post(first!);
    assert.deepEqual([refused.status, refused.body.rows], [422, 0]);
    assert.deepEqual(refused.body.faults, [
      { field: "source", message: "say which list these ids are of (?source=…)" },
    ]);
    assert.equal((await leadsIn(gateway, "intake")).length, 0);
    assert.equal((await post(first!, "source=mills")).body.accepted, 1);
    assert.equal((await post(second!, "source=bakeries")).body.accepted, 1);
    assert.equal((await post("name,city\nTown Hall,Chicago\n")).body.accepted, 1);
    const leads = await leadsIn(gateway, "intake");
    assert.deepEqual(
      leads.map(({ source }) => source),
      ["mills", "bakeries", "upload"],
    );
    assert.equal(new Set(leads.map(({ leadId }) => leadId)).size, 3);
  });

  it("refuses a row that is too long without holding it, and lists a thousand refused rows at the most", async () => {
    await using gateway = await startGateway({ env: { LEADS_ROW_LIMIT_BYTES: "1024" } });
    const { secret } = await gateway.key("acme", "ingest");
    const body = `${row(1, { note: "x".repeat(100_000) })}${"x\n".repeat(1_500)}${row(2)}`;
    const { body: counts } = await postBulk(gateway, secret, body);
    assert.equal(counts.rows, 1_502);
    assert.equal(counts.accepted, 1);
    assert.equal(counts.refused, 1_501);
    assert.equal(counts.refusedRows.length, 1_000);
    assert.equal(counts.truncated, true);
    assert.match(counts.refusedRows[0].faults[0].message, /longer than 1024 bytes/);
  });

  it("makes the same leads of the same file under the same Idempotency-Key, without source ids", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const body = `{"name":"A","city":"Chicago"}\n{"name":"B","city":"Chicago"}\n`;
    const headers = { "idempotency-key": "file 1" };
    const first = await postBulk(gateway, secret, body, { headers });
    const again = await postBulk(gateway, secret, body, { headers });
    assert.equal(first.body.importId, again.body.importId);
    const ids = (await leadsIn(gateway, "intake")).map(({ leadId }) => leadId);
    assert.equal(new Set(ids).size, 2);
    assert.equal(ids.length, 4);
  });

  it("keeps what was accepted when the connection breaks, and nothing of the row that was cut", async () => {
    await using gateway = await startGateway();
    const { secret } = await gateway.key("acme", "ingest");
    const req = request(`${gateway.url}/v1/leads/bulk`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/x-ndjson" },
    });
    req.on("error", () => {});
    req.write(rows(120) + row(121).slice(0, 20));
    await eventually("two envelopes are stored", async () => (await leadsIn(gateway, "intake")).length >= 100);
    req.destroy();
    await eventually("the rest that was read is stored", async () => (await leadsIn(gateway, "intake")).length === 120);
  });

  it("answers 503 with the counts so far when the intake stays full; what is sent again is the same leads", async () => {
    await using gateway = await startGateway({ env: { LEADS_INTAKE_BYTES: "65536", LEADS_UPLOAD_WAIT_MS: "300" } });
    const { secret } = await gateway.key("acme", "ingest");
    const body = rows(1_000);
    const began = performance.now();
    const full = await postBulk(gateway, secret, body);
    assert.equal(full.status, 503);
    assert.equal(full.body.type, "urn:leadfactory:error:mailbox-full");
    assert.ok(Number(full.headers.get("retry-after")) >= 1);
    assert.ok(performance.now() - began >= 300, "it did not wait for room");
    const stored = await leadsIn(gateway, "intake");
    assert.equal(full.body.accepted, stored.length);
    assert.ok(full.body.accepted > 0 && full.body.accepted < 1_000, String(full.body.accepted));
    assert.ok(full.body.rows >= full.body.accepted);
    const jsm = await gateway.nats.jetstreamManager();
    await jsm.streams.purge(gateway.names.intake.stream);
    const again = await postBulk(gateway, secret, rows(50));
    assert.equal(again.status, 200);
    const same = new Set(stored.map(({ leadId }) => leadId));
    const sentAgain = await leadsIn(gateway, "intake");
    assert.ok(sentAgain.every(({ leadId }) => same.has(leadId)));
  });

  it("takes 300 MB through a full, slow intake in constant memory, and no faster than there is room", async function () {
    this.timeout(90_000);
    await using gateway = await startGateway({ env: { LEADS_INTAKE_BYTES: "524288" } });
    const { secret } = await gateway.key("acme", "ingest");
    const count = 5_000;
    // A row of 60 kB becomes a lead of about three: a unit as long as that is dropped, the long address of the site stays.
    const more = { unit: "x".repeat(58_000), website: `https://bakery.example/${"p".repeat(2_000)}` };
    let sent = 0;
    async function* upload() {
      for (let n = 1; n <= count; n++) {
        const line = Buffer.from(row(n, more));
        sent += line.length;
        yield line;
      }
    }
    const jsm = await gateway.nats.jetstreamManager();
    const { stream } = gateway.names.intake;
    const before = process.memoryUsage().rss;
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss);
    }, 20);
    let atHold = 0;
    let drain: NodeJS.Timeout | undefined;
    try {
      let ended = false;
      const answer = postBulk(gateway, secret, upload()).finally(() => {
        ended = true;
      });
      let last = -1;
      await eventually(
        "the caller is held back",
        () => {
          const held = sent === last && !ended;
          last = sent;
          return held;
        },
        { everyMs: 500, withinMs: 30_000 },
      );
      atHold = sent;
      assert.ok(atHold < 150_000_000, `${atHold} bytes were taken with nowhere to put them`);
      drain = setInterval(() => void jsm.streams.purge(stream).catch(() => {}), 100);
      const { status, body } = await answer;
      assert.equal(status, 200);
      assert.equal(body.accepted, count);
      assert.ok(sent > 300_000_000);
    } finally {
      clearInterval(watch);
      clearInterval(drain);
    }
    const grown = peak - before;
    assert.ok(grown < 150_000_000, `memory grew by ${Math.round(grown / 1e6)} MB`);
  });
});
