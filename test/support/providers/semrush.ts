import { errors, links, linksQuery, rank, rankQuery } from "./documented/semrush.ts";
import { type HttpStub, httpStub, type StubAnswer, type Words } from "./http-stub.ts";

/**
 * SEMrush's API, version 3, on a local port: reports, columns, units and examples by
 * https://developer.semrush.com/api/v3/analytics/basic-docs/ and the pages named beside the examples; that units are used up
 * is ERROR 132 by https://developer.semrush.com/api/basics/api-units-balance/.
 */
export const semrushKey = "stub-key-of-semrush";

const words: Words = {
  "401": [403, errors.wrongKey],
  "402": [403, errors.units],
  "429": [429, "Too Many Requests"],
  "500": [500, "Internal Server Error"],
};

const text = (body: string, status = 200): StubAnswer => ({ status, body });
/** code of a column -> its heading and the example's value. */
const tableOf = (codes: string, [headings, values]: readonly string[]): ReadonlyMap<string, [string, string]> =>
  new Map(codes.split(",").map((code, n) => [code, [headings!.split(";")[n]!, values!.split(";")[n]!]]));

/** By its path: what a report is called, must be asked with, and answers (the documentation's example, by columns). */
const reports: Readonly<
  Record<string, { type: string; needs: string[]; table: ReadonlyMap<string, [string, string]> }>
> = {
  "/": {
    type: rankQuery.type,
    needs: ["domain", "database"],
    table: tableOf(rankQuery.export_columns, rank),
  },
  "/analytics/v1/": {
    type: linksQuery.type,
    needs: ["target", "target_type", "export_columns"],
    table: tableOf(linksQuery.export_columns, links),
  },
};

/** Domains that begin with `unknown-` are in no database. What the documentation has no number for is told without one. */
export function semrushStub(): Promise<HttpStub> {
  return httpStub(words, ({ pathname, searchParams }) => {
    const report = reports[pathname];
    if (report === undefined) return text("Not Found", 404);
    const { type, needs, table } = report;
    const refuse = (what: string) => text(`Bad Request: ${what}`, 400);
    if (!searchParams.get("type")) return text(errors.type, 400);
    if (searchParams.get("type") !== type) return text(errors.report, 403);
    if (!searchParams.get("key")) return text(errors.emptyKey, 403);
    if (searchParams.get("key") !== semrushKey) return text(errors.wrongKey, 403);
    for (const name of needs)
      if (!searchParams.get(name)) return name === "domain" ? text(errors.domain, 400) : refuse(`${name} is missing`);
    const allowed = ["type", "key", "export_columns", ...needs];
    for (const name of searchParams.keys()) if (!allowed.includes(name)) return refuse(`${name} is not known`);
    if (searchParams.get("database") === "zz") return text(errors.database, 403);
    const domain = searchParams.get("domain") ?? searchParams.get("target")!;
    if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(domain)) return refuse(`${domain} is no domain`);
    if (domain.startsWith("unknown-")) return text(errors.nothing);
    const columns = searchParams.get("export_columns")?.split(",") ?? [...table.keys()];
    if (columns.some((code) => !table.has(code))) return refuse("a column is not known");
    const [headings, values] = [0, 1].map((n) => columns.map((code) => table.get(code)![n]).join(";"));
    return text(`${headings}\r\n${values}\r\n`);
  });
}
