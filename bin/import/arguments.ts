import { parseArgs } from "node:util";
import { type Lane, lanes, tenantPattern } from "../../config/names.ts";
import { areaCodePattern, limits } from "../../services/intake/limits.ts";
import { countryCode } from "../../services/intake/places.ts";
import { type Trust, trustLevels } from "../../services/leads/lead.ts";
import { demoTenant } from "../stack/api-key.ts";

export const usage = `usage: npm run import -- FILE [options]
  FILE                  CSV with a header line, or NDJSON (.ndjson, .jsonl, .json)
  --map "name=Site name,phone=Phone,sourceId=Source+Id"
                        which column tells which field; default: columns are known by their names
  --format csv|ndjson   default: by the file's name
  --tenant T            default: ${demoTenant}
  --source S            source of rows that name none; default: the file's name
  --trust T             ${Object.keys(trustLevels).join(", ")}; default: imported
  --region CC           country of phone numbers and addresses that name none; default: LEADS_DEFAULT_REGION
  --area-code N         put before phone numbers of 7 digits
  --vertical V          vertical of rows that name none
  --lane bulk|live      default: bulk
  --refused FILE        where refused rows go; default: a file under .stack/imports
  --restart             begin anew though an earlier run was cut short, and overwrite what --refused FILE holds
  --json                print the summary as JSON`;

export interface ImportArguments {
  file: string;
  tenant: string;
  map?: string | undefined;
  format?: "csv" | "ndjson" | undefined;
  source?: string | undefined;
  trust?: Trust | undefined;
  region?: string | undefined;
  areaCode?: string | undefined;
  vertical?: string | undefined;
  lane: Lane;
  refusedFile?: string | undefined;
  restart: boolean;
  json: boolean;
}

/** Reads the command line. Throws an error that lists every fault. */
export function readArguments(argv: readonly string[]): ImportArguments | "help" {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      map: text,
      format: text,
      tenant: text,
      source: text,
      trust: text,
      region: text,
      "area-code": text,
      vertical: text,
      lane: text,
      refused: text,
      restart: flag,
      json: flag,
      help: { ...flag, short: "h" },
    },
  });
  if (values.help) return "help";
  const faults: string[] = [];
  const check = (option: string, value: string | undefined, ok: (value: string) => boolean, allowed: string) => {
    if (value !== undefined && !ok(value)) faults.push(`--${option} ${JSON.stringify(value)}: allowed is ${allowed}`);
  };
  const one = (words: readonly string[]) => [(value: string) => words.includes(value), words.join(", ")] as const;
  if (positionals.length !== 1) faults.push(`one FILE is read, ${positionals.length} are given`);
  check("format", values.format, ...one(["csv", "ndjson"]));
  check("tenant", values.tenant, (value) => tenantPattern.test(value), "lower-case letters, digits and dashes");
  check(
    "source",
    values.source,
    (value) => value.trim() !== "" && value.length <= limits.source,
    `text of up to ${limits.source} characters`,
  );
  check("trust", values.trust, ...one(Object.keys(trustLevels)));
  check(
    "region",
    values.region,
    (value) => /^[A-Z]{2}$/.test(value) && countryCode(value) === value,
    "two capital letters (ISO 3166-1)",
  );
  check("area-code", values["area-code"], (value) => areaCodePattern.test(value), "3 digits");
  check("lane", values.lane, ...one(lanes));
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return {
    file: positionals[0]!,
    tenant: values.tenant ?? demoTenant,
    map: values.map,
    format: values.format as "csv" | "ndjson" | undefined,
    source: values.source?.trim(),
    trust: values.trust as Trust | undefined,
    region: values.region,
    areaCode: values["area-code"],
    vertical: values.vertical,
    lane: (values.lane as Lane | undefined) ?? "bulk",
    refusedFile: values.refused,
    restart: values.restart ?? false,
    json: values.json ?? false,
  };
}
