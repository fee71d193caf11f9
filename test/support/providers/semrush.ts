import { type HttpStub, httpStub, type StubAnswer, type Words } from "./http-stub.ts";

/**
 * SEMrush's API, version 3, on a local port: reports, columns, units and the examples of
 * https://www.semrush.com/api.html (seobook.com), https://developer.semrush.com/api/v3/analytics/basic-docs/ and
 * https://developer.semrush.com/api/seo/backlinks/; that units are used up is ERROR 132 by
 * https://developer.semrush.com/api/basics/api-units-balance/.
 */
export const semrushKey = "stub-key-of-semrush";

const words: Words = {
  "401": [403, "ERROR 120 :: WRONG KEY - ID PAIR"],
  "402": [403, "ERROR 132 :: API UNITS BALANCE IS ZERO"],
  "429": [429, "Too Many Requests"],
  "500": [500, "Internal Server Error"],
};

/** code -> heading and the example's value. */
const rank: Record<string, [heading: string, value: string]> = {
  Dn: ["Domain", "seobook.com"],
  Rk: ["Rank", "24041"],
  Or: ["Organic Keywords", "5249"],
  Ot: ["Organic Traffic", "37332"],
  Oc: ["Organic Cost", "143496"],
  Ad: ["Adwords Keywords", "0"],
  At: ["Adwords Traffic", "0"],
  Ac: ["Adwords Cost", "0"],
};
const links: Record<string, [heading: string, value: string]> = {
  ascore: ["ascore", "74"],
  total: ["total", "22063983"],
  domains_num: ["domains_num", "49145"],
  urls_num: ["urls_num", "13059030"],
};

const text = (body: string, status = 200): StubAnswer => ({ status, body });

/** Domains that begin with `unknown-` are in no database. */
export function semrushStub(): Promise<HttpStub> {
  return httpStub(words, ({ pathname, searchParams }) => {
    const report = { "/": "domain_rank", "/analytics/v1/": "backlinks_overview" }[pathname];
    if (report === undefined) return text("Not Found", 404);
    const allowed =
      report === "domain_rank"
        ? ["type", "key", "domain", "database", "export_columns"]
        : ["type", "key", "target", "target_type", "export_columns"];
    for (const name of allowed)
      if (!searchParams.get(name)) return text(`ERROR 40 :: MANDATORY PARAMETER "${name}" NOT SET OR EMPTY`, 400);
    for (const name of searchParams.keys())
      if (!allowed.includes(name)) return text(`ERROR 43 :: UNKNOWN PARAMETER "${name}"`, 400);
    if (searchParams.get("key") !== semrushKey) return text("ERROR 120 :: WRONG KEY - ID PAIR", 403);
    if (searchParams.get("type") !== report) return text("ERROR 41 :: UNKNOWN REPORT TYPE", 400);
    if (searchParams.get("database") === "zz") return text("ERROR 133 :: DB ACCESS DENIED", 403);
    const domain = searchParams.get("domain") ?? searchParams.get("target")!;
    if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(domain)) return text("ERROR 44 :: WRONG DOMAIN FORMAT", 400);
    if (domain.startsWith("unknown-")) return text("ERROR 50 :: NOTHING FOUND");
    const table = report === "domain_rank" ? rank : links;
    const columns = searchParams.get("export_columns")!.split(",");
    if (columns.some((code) => !table[code])) return text("ERROR 45 :: WRONG EXPORT COLUMNS", 400);
    const [headings, values] = [0, 1].map((n) => columns.map((code) => table[code]![n]).join(";"));
    return text(`${headings}\r\n${values}\r\n`);
  });
}
