import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Row, readRows } from "../../../services/intake/rows.ts";

describe("intake: an upload of any size", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  /** 64 MB of rows, made as they are read; `pulled` counts what was asked for. */
  async function* endless(line: (n: number) => string, bytes: number, count: { pulled: number }) {
    let n = 0;
    while (count.pulled < bytes) {
      const chunk = Buffer.from(Array.from({ length: 500 }, () => line(n++)).join(""));
      count.pulled += chunk.length;
      yield chunk;
    }
  }
  const forms = {
    csv: (n: number) => `"Bar ${n}\nWest","${n}","x, ""y"" z"\n`,
    ndjson: (n: number) => `{"name":"Bar ${n}","phone":"${n}","address":"1 Main St"}\n`,
  };

  for (const format of ["csv", "ndjson"] as const)
    it(`is read in constant memory (${format}, 64 MB)`, async () => {
      const count = { pulled: 0 };
      async function* stream() {
        if (format === "csv") yield Buffer.from("name,phone,city\n");
        yield* endless(forms[format], 64_000_000, count);
      }
      let rows = 0;
      let most = 0;
      const held = () => {
        collect();
        const { heapUsed, arrayBuffers } = process.memoryUsage();
        return heapUsed + arrayBuffers;
      };
      const before = held();
      for await (const row of readRows(stream(), { format, rowLimitBytes: 65_536 })) {
        assert.ok("raw" in row);
        if (++rows % 200_000 === 0) most = Math.max(most, held() - before);
      }
      assert.ok(rows > 800_000, `${rows} rows`);
      assert.ok(most < 8_000_000, `${most} bytes more than before`);
    });

  it("pulls no further than its reader goes", async () => {
    const count = { pulled: 0 };
    for await (const row of readRows(endless(forms.ndjson, 64_000_000, count), {
      format: "ndjson",
      rowLimitBytes: 65_536,
    }))
      if (row.line === 600) break;
    assert.ok(count.pulled < 100_000, `${count.pulled} bytes were pulled`);
  });

  it("holds one row's bytes of a line that never ends", async () => {
    const count = { pulled: 0 };
    async function* stream() {
      yield Buffer.from("name,phone\n");
      yield* endless(() => "x".repeat(200), 64_000_000, count);
      yield Buffer.from("\nJoe,1\n");
    }
    const before = process.memoryUsage().arrayBuffers;
    const rows: Row[] = [];
    for await (const row of readRows(stream(), { format: "csv", rowLimitBytes: 65_536 })) rows.push(row);
    assert.deepEqual(
      rows.map(({ line }) => line),
      [2, 3],
    );
    assert.ok("faults" in rows[0]! && "raw" in rows[1]!);
    assert.ok(process.memoryUsage().arrayBuffers - before < 32_000_000);
  });
});
