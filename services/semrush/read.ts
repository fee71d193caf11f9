import type { SemrushFacts } from "../leads/lead.ts";

/**
 * SEMrush's API, version 3: the domain overview of one database (`domain_rank`,
 * https://developer.semrush.com/api/v3/analytics/basic-docs/) and the overview of links to a domain
 * (`backlinks_overview`, https://developer.semrush.com/api/seo/backlinks/): what is asked for, and what an answer says.
 */

/** Column -> its code. The answer heads its columns by their names, not by the codes that were asked for. */
const rankColumns = {
  Domain: "Dn",
  Rank: "Rk",
  "Organic Keywords": "Or",
  "Organic Traffic": "Ot",
  "Organic Cost": "Oc",
  "Adwords Keywords": "Ad",
} as const;
const linkColumns = ["ascore", "total", "domains_num"] as const;

/** API units that a report takes: by line, or by request. */
export const rankUnits = 10;
export const linkUnits = 40;

export interface ReportRequest {
  path: string;
  query: (readonly [string, string])[];
}

export function rankRequest(domain: string, database: string, key: string): ReportRequest {
  return {
    path: "/",
    query: [
      ["type", "domain_rank"],
      ["key", key],
      ["export_columns", Object.values(rankColumns).join(",")],
      ["domain", domain],
      ["database", database],
    ],
  };
}

export function linksRequest(domain: string, key: string): ReportRequest {
  return {
    path: "/analytics/v1/",
    query: [
      ["type", "backlinks_overview"],
      ["key", key],
      ["target", domain],
      ["target_type", "root_domain"],
      ["export_columns", linkColumns.join(",")],
    ],
  };
}

/** SEMrush's regional databases are named by country, but for the United Kingdom's. */
export const databaseOf = (country: string): string => (country === "GB" ? "uk" : country.toLowerCase());

export interface Report {
  /** `ERROR 50 :: NOTHING FOUND` */
  error?: { code: number; text: string };
  rows: Record<string, string>[];
}

/** The form of a report, for the validator: it was read cell by cell before. */
export const schema = { rows: { type: "array", items: "object", max: 10 } };

const columns: ReadonlySet<string> = new Set([...Object.keys(rankColumns), ...linkColumns]);

/** Semicolon-separated text with a line of headings, or an error. Throws for what is neither. */
export function parseReport(text: string): Report {
  const [, code, words = ""] = /^ERROR (\d+) :: ([^\r\n]*)/.exec(text.trim()) ?? [];
  if (code !== undefined) return { error: { code: Number(code), text: words }, rows: [] };
  const [headings = [], ...lines] = text
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(";").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  if (!headings.every((heading) => columns.has(heading))) throw new Error("it has other headings");
  return {
    rows: lines.map((cells) => {
      if (cells.length !== headings.length) throw new Error("a line has another number of cells");
      return Object.fromEntries(headings.map((heading, n) => [heading, cells[n]!]));
    }),
  };
}

/**
 * SEMrush's errors come in plain text, with HTTP 200 or 403. Nothing found is an answer. A wrong or blocked key is ours to
 * mend; units or calls that are used up come back when somebody buys some, or with the month; the rest is about this
 * request. null: no error of its own.
 */
export function sortReport(report: Report | undefined) {
  const error = report?.error;
  if (!error) return null;
  switch (error.code) {
    case 50:
      return { kind: "good" } as const;
    case 70:
    case 120:
    case 121:
    case 122:
    case 130:
      return { kind: "down", reason: `refuses the key (ERROR ${error.code})` } as const;
    case 131:
    case 132:
    case 134:
      return { kind: "later", waitMs: 3_600_000, reason: `has no units or calls left (ERROR ${error.code})` } as const;
    default:
      return { kind: "never", reason: `ERROR_${error.code}` } as const;
  }
}

/** What a domain's overview says. A domain that is not there has no keyword among the first hundred results. */
export function rankFacts({ rows: [row] }: Report): SemrushFacts {
  return told({
    rank: numberOf(row?.["Rank"]),
    organicKeywords: row ? numberOf(row["Organic Keywords"]) : 0,
    organicTraffic: row ? numberOf(row["Organic Traffic"]) : 0,
    organicCostUsd: row ? numberOf(row["Organic Cost"]) : 0,
    adwordsKeywords: row ? numberOf(row["Adwords Keywords"]) : 0,
  });
}

/** What links to a domain. */
export function linkFacts({ rows: [row] }: Report): SemrushFacts {
  return told({
    score: numberOf(row?.["ascore"]),
    backlinks: row ? numberOf(row["total"]) : 0,
    referringDomains: row ? numberOf(row["domains_num"]) : 0,
  });
}

function numberOf(cell: string | undefined): number | undefined {
  return cell !== undefined && /^\d+(\.\d+)?$/.test(cell) ? Number(cell) : undefined;
}

/** Without what is not known: an absent fact is no zero. */
function told(facts: { [K in keyof SemrushFacts]: SemrushFacts[K] | undefined }): SemrushFacts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
