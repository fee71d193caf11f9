import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { parse } from "csv-parse/sync";
import { parseMap, RowsError } from "../../../services/intake/columns.ts";
import { type Row, type RowOptions, readRows } from "../../../services/intake/rows.ts";
import { dice } from "./support.ts";

/** The text as a stream, cut into pieces of these lengths, over and over. */
async function* pieces(text: string | Buffer, ...sizes: number[]): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text as string);
  if (sizes.length === 0) yield bytes;
  else
    for (let at = 0, n = 0; at < bytes.length; n++) {
      const size = sizes[n % sizes.length]!;
      yield bytes.subarray(at, at + size);
      at += size;
    }
}

async function rowsOf(text: string | Buffer, options: Partial<RowOptions> & { map?: any } = {}, sizes: number[] = []) {
  const rows: Row[] = [];
  const stream = pieces(text, ...sizes);
  for await (const row of readRows(stream, { format: "csv", rowLimitBytes: 65_536, ...options })) rows.push(row);
  return rows;
}

const plain = (rows: Row[]) =>
  rows.map((row) => ("raw" in row ? [row.line, row.raw] : [row.line, row.faults[0]!.message]));

describe("intake: rows of a CSV file", () => {
  it("tells each row's fields and the line where it begins", async () => {
    const text = 'name,phone\nJoe,3125550100\n"Chicago\nCommons, ""West""",3865286\n\nAnn,1\n';
    assert.deepEqual(plain(await rowsOf(text)), [
      [2, { name: "Joe", phone: "3125550100" }],
      [3, { name: 'Chicago\nCommons, "West"', phone: "3865286" }],
      [6, { name: "Ann", phone: "1" }],
    ]);
  });

  it("reads the same from pieces of any size", async () => {
    const text = '\ufeffname;phone;city\r\n"J""o\r\ne";1;"Caf\u00e9, \ud83c\udf7a"\r\nAnn;"";\r\n "B" ; 2;x';
    const whole = plain(await rowsOf(text));
    assert.deepEqual(whole, [
      [2, { name: 'J"o\r\ne', phone: "1", city: "Caf\u00e9, \ud83c\udf7a" }],
      [4, { name: "Ann" }],
      [5, { name: "B", phone: "2", city: "x" }],
    ]);
    for (const sizes of [[1], [2], [3, 1], [7], [1, 13]]) assert.deepEqual(plain(await rowsOf(text, {}, sizes)), whole);
  });

  it("finds the separator: comma, semicolon, tab, bar", async () => {
    for (const sign of [",", ";", "\t", "|"])
      assert.deepEqual(plain(await rowsOf(`name${sign}phone\nJoe${sign}1`)), [[2, { name: "Joe", phone: "1" }]]);
    assert.deepEqual(plain(await rowsOf('"name;of,it",x;city,y;z\nJoe,1', { map: parseMap('name="name;of,it"') })), [
      [2, { name: "Joe" }],
    ]);
  });

  it("reads bytes that are no UTF-8 as Windows-1252, row by row", async () => {
    const text = Buffer.concat([
      Buffer.from("name,city\nCaf\u00e9,K\u00f6ln\n"),
      Buffer.from([0x4a, 0x6f, 0x65, 0x92, 0x73]),
      Buffer.from(",x\n"),
    ]);
    assert.deepEqual(plain(await rowsOf(text)), [
      [2, { name: "Caf\u00e9", city: "K\u00f6ln" }],
      [3, { name: "Joe\u2019s", city: "x" }],
    ]);
    await assert.rejects(rowsOf(Buffer.from("\ufeffname\nJoe\n", "utf16le")), /UTF-16/);
  });

  it("refuses a row with a mark inside a quoted cell, and reads the next", async () => {
    const text = 'name,phone\n"Joe\'s "Bar" and Grill",1\nAnn,2\n';
    assert.deepEqual(plain(await rowsOf(text)), [
      [2, "the row has a quotation mark inside a quoted cell that is not doubled"],
      [3, { name: "Ann", phone: "2" }],
    ]);
    assert.deepEqual(plain(await rowsOf('name,phone\n5" pipe co,1\n')), [[2, { name: '5" pipe co', phone: "1" }]]);
  });

  it("loses one row to a mark that is never closed, not the upload", async () => {
    const rest = Array.from({ length: 3_000 }, (_, n) => `Bar ${n},${n}`);
    const rows = await rowsOf(`name,phone\nFirst,1\n"Joe,2\n${rest.join("\n")}\n`, { rowLimitBytes: 4_096 }, [1_000]);
    assert.deepEqual(plain(rows).slice(0, 3), [
      [2, { name: "First", phone: "1" }],
      [3, "the row has a quotation mark that nothing closes within 4096 bytes"],
      [4, { name: "Bar 0", phone: "0" }],
    ]);
    assert.equal(rows.length, 3_002);
    assert.deepEqual(plain(await rowsOf('name,phone\nAnn,1\n"Joe,2\nBob,3')).slice(1), [
      [3, "the row has a quotation mark that nothing closes"],
      [4, { name: "Bob", phone: "3" }],
    ]);
  });

  it("refuses the remains of a broken row, and trusts the next whole one", async () => {
    for (const row of ['"The "Best"\nBar",1,x', 'a,"The "Best"\nBar",1']) {
      const rows = plain(await rowsOf(`name,phone,city\n${row}\nAnn,2,y\nBob,3\n`));
      assert.match(rows[0]![1] as string, /not doubled/);
      assert.match(rows[1]![1] as string, /remains of the broken row above/);
      assert.deepEqual(rows.slice(2), [
        [4, { name: "Ann", phone: "2", city: "y" }],
        [5, { name: "Bob", phone: "3" }],
      ]);
    }
  });

  it("refuses a row that is too long, whatever its form, and reads the next", async () => {
    const long = "x".repeat(3_000);
    for (const row of [`${long},1`, `"${long}",1`, `Joe,${long}${long}${long}`]) {
      const rows = await rowsOf(`name,phone\n${row}\nAnn,2\n`, { rowLimitBytes: 2_000 }, [500]);
      assert.deepEqual(plain(rows), [
        [2, "the row is longer than 2000 bytes"],
        [3, { name: "Ann", phone: "2" }],
      ]);
      assert.ok("text" in rows[0]! && rows[0].text.length <= 200);
    }
  });

  it("takes missing cells for blank ones and refuses what stands beyond the header", async () => {
    assert.deepEqual(plain(await rowsOf("name,phone,city\nJoe,1\nAnn,2,x,,\nBob,3,x,4\n")), [
      [2, { name: "Joe", phone: "1" }],
      [3, { name: "Ann", phone: "2", city: "x" }],
      [4, "the row has 4 cells where the header has 3"],
    ]);
  });

  it("refuses a file whose lines end with CR alone, which would be all header", async () => {
    const lines = ["name,email", "Joe,a@b.com", "Ann,c@d.com", ""];
    for (const text of [lines.join("\r"), lines.join("\r").repeat(5_000)])
      await assert.rejects(rowsOf(text, {}, [1_000]), /its lines end with CR alone: save it with CR LF or LF/);
    assert.deepEqual(plain(await rowsOf('"full\rname",name\r\n1,Joe\r\n')), [[2, { name: "Joe" }]]);
    assert.deepEqual(plain(await rowsOf("name,phone\r\r\nJoe,1\r\r\n")), [[2, { name: "Joe", phone: "1" }]]);
  });

  it("reads nothing from an empty file, and only a header from a header", async () => {
    for (const text of ["", "\n\n", "\ufeff", "name,phone", "name,phone\n"]) assert.deepEqual(await rowsOf(text), []);
  });

  it("agrees with csv-parse on well-formed files", async () => {
    const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
    const next = dice(seed);
    const alphabet = ["a", "B", '"', ",", "\n", "\r\n", ";", " ", "\u00e9", "\ud83c\udf7a", "'", "0"];
    for (let round = 0; round < 300; round++) {
      const cell = () =>
        Array.from({ length: Math.floor(next() * 6) }, () => alphabet[Math.floor(next() * alphabet.length)]).join("");
      const table = Array.from({ length: 1 + Math.floor(next() * 6) }, () => [`n${cell()}`, cell(), cell()]);
      const newline = next() < 0.5 ? "\n" : "\r\n";
      const quoted = (text: string) =>
        /["\n\r,; ]/.test(text) || next() < 0.2 ? `"${text.replaceAll('"', '""')}"` : text;
      const text = `name,phone,city${newline}${table.map((row) => row.map(quoted).join(",")).join(newline)}`;
      const records = parse(text, { info: true, relax_column_count: true }) as unknown as { record: string[] }[];
      const expected = records.slice(1).map(({ record }) => record);
      const rows = await rowsOf(text, {}, [1 + Math.floor(next() * 20)]);
      const told = rows.map((row) => {
        assert.ok("raw" in row, `SEED=${seed} ${JSON.stringify([text, row])}`);
        return [row.raw.name, row.raw.phone ?? "", row.raw.city ?? ""];
      });
      assert.deepEqual(told, expected, `SEED=${seed} ${JSON.stringify(text)}`);
    }
  });
});

describe("intake: columns", () => {
  it("knows the common headers without being told", async () => {
    const text =
      "id,name,brewery_type,address_1,address_2,city,state_province,postal_code,country,phone,website_url\n7,Joe,micro,1 Main St,Ste 2,Elgin,Illinois,60120,United States,3125550100,x.com\n";
    assert.deepEqual(plain(await rowsOf(text)), [
      [
        2,
        {
          sourceId: "7",
          name: "Joe",
          street: "1 Main St",
          unit: "Ste 2",
          city: "Elgin",
          state: "Illinois",
          zip: "60120",
          country: "United States",
          phone: "3125550100",
          website: "x.com",
        },
      ],
    ]);
    const other =
      "True Id,Id,Source,Site name,Address,E-mail Address,Web Site\nx,1,list.csv,Joe,1 Main St,a@b.co,x.com\n";
    assert.deepEqual(plain(await rowsOf(other)), [
      [2, { sourceId: "1", source: "list.csv", name: "Joe", address: "1 Main St", email: "a@b.co", website: "x.com" }],
    ]);
  });

  it("reads what a mapping says and nothing else", async () => {
    const text = "Site name,Phone,Source,Id,True Id\nJoe,1,a/b,7,x\nAnn,2,,8,x\n";
    assert.deepEqual(plain(await rowsOf(text, { map: parseMap("name=site NAME, sourceId=Source+Id") })), [
      [2, { name: "Joe", sourceId: "a%2Fb/7" }],
      [3, { name: "Ann" }],
    ]);
  });

  it("wants to know of which list ids are, where it is asked to", async () => {
    const text = "Id,Name,List\n1,Joe,a\n";
    for (const map of ["name=Name,sourceId=Id", undefined])
      await assert.rejects(
        rowsOf(text, { needsSource: true, ...(map && { map: parseMap(map) }) }),
        (error: RowsError) => error.faults.length === 1 && error.faults[0]!.field === "source",
      );
    const read = async (more: object) => plain(await rowsOf(text, { needsSource: true, ...more })).length;
    assert.equal(await read({ needsSource: false }), 1);
    for (const map of ["name=Name,sourceId=Id,source=List", "name=Name,sourceId=List+Id", "name=Name"])
      assert.equal(await read({ map: parseMap(map) }), 1, map);
  });

  it("says what is wrong with a mapping, all of it, and what the header has", async () => {
    const wrong = (text: string) => {
      try {
        parseMap(text);
      } catch (error) {
        assert.ok(error instanceof RowsError);
        return error.faults.map(({ field }) => field);
      }
      return [];
    };
    assert.deepEqual(wrong("nam=Name,phone=,city"), ["nam", "phone", "city"]);
    assert.deepEqual(wrong("name=A,name=B"), ["name"]);
    assert.deepEqual(wrong(" "), ["map"]);
    await assert.rejects(
      rowsOf("Name,Phone\nJoe,1\n", { map: parseMap("name=Nmae,phone=Phone+Id") }),
      (error: RowsError) => {
        assert.deepEqual(
          error.faults.map(({ field }) => field),
          ["name", "phone"],
        );
        assert.match(error.message, /there is no column "Nmae"; the header has "Name", "Phone"/);
        return true;
      },
    );
    await assert.rejects(rowsOf("a,b\n1,2\n"), /no column is known to be the name.*"a", "b"/);
    await assert.rejects(rowsOf("a,b\n1,2\n", { map: parseMap("phone=b") }), /name: the mapping names no column/);
    await assert.rejects(rowsOf('"a,b\n1,2\n'), /the header \(line 1\) has a quotation mark/);
  });
});

describe("intake: rows of an NDJSON file", () => {
  const ndjson = (text: string | Buffer, options = {}, sizes: number[] = []) =>
    rowsOf(text, { format: "ndjson", ...options }, sizes);

  it("tells each object with its line, from pieces of any size", async () => {
    const text =
      '\ufeff{"name":"Joe","x":1}\r\n\n{"name":"Caf\u00e9 \ud83c\udf7a"}\n[1]\n{"name":\nnull\n{"name":"last"}';
    const whole = plain(await ndjson(text));
    assert.deepEqual(
      whole.map(([line, row]) => [line, typeof row === "string" ? row.slice(0, 23) : row]),
      [
        [1, { name: "Joe", x: 1 }],
        [3, { name: "Caf\u00e9 \ud83c\udf7a" }],
        [4, "the row must be a JSON "],
        [5, "the row is not JSON: Un"],
        [6, "the row must be a JSON "],
        [7, { name: "last" }],
      ],
    );
    for (const sizes of [[1], [2], [5, 1]]) assert.deepEqual(plain(await ndjson(text, {}, sizes)), whole);
  });

  it("refuses a line that is too long, once, and reads the next", async () => {
    const text = `{"name":"a"}\n{"name":"${"x".repeat(5_000)}"}\n{"name":"b"}\n${"y".repeat(5_000)}`;
    for (const sizes of [[], [300], [1_024]])
      assert.deepEqual(plain(await ndjson(text, { rowLimitBytes: 1_000 }, sizes)), [
        [1, { name: "a" }],
        [2, "the row is longer than 1000 bytes"],
        [3, { name: "b" }],
        [4, "the row is longer than 1000 bytes"],
      ]);
  });

  it("picks what a mapping says, and joins", async () => {
    const rows = await ndjson('{"title":"Joe","src":"a","n":7,"rest":{}}\n{"title":5}\n', {
      map: parseMap("name=title,sourceId=src+n"),
    });
    assert.deepEqual(plain(rows), [
      [1, { name: "Joe", sourceId: "a/7" }],
      [2, { name: 5, sourceId: undefined }],
    ]);
  });
});
