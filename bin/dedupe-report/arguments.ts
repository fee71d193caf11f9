import { parseArgs } from "node:util";
import { countryCode } from "../../services/intake/places.ts";

export const usage = `usage: npm run dedupe:report -- FILE --gold COLUMN [options]
  FILE                  CSV with a header line, or NDJSON (.ndjson, .jsonl, .json)
  --gold COLUMN         the true cluster of each row, for measuring alone; rows with "x" or nothing there are left out
  --map "name=Site name,phone=Phone,sourceId=Source+Id"
                        which column tells which field; default: columns are known by their names
  --format csv|ndjson   default: by the file's name
  --region CC           country of phone numbers and addresses that name none; default: LEADS_DEFAULT_REGION
  --area-code N         put before phone numbers of 7 digits
  --sweep               also show the measure with each threshold a tenth lower and higher
  --json                print precision, recall, f1, blockingRecall and doubt as JSON`;

export interface ReportArguments {
  file: string;
  gold: string;
  map: string | undefined;
  format: "csv" | "ndjson" | undefined;
  region: string | undefined;
  areaCode: string | undefined;
  sweep: boolean;
  json: boolean;
}

/** Reads the command line. Throws an error that lists every fault. */
export function readArguments(argv: readonly string[]): ReportArguments | "help" {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      gold: text,
      map: text,
      format: text,
      region: text,
      "area-code": text,
      sweep: flag,
      json: flag,
      help: { ...flag, short: "h" },
    },
  });
  if (values.help) return "help";
  const faults: string[] = [];
  if (positionals.length !== 1) faults.push(`one FILE is read, ${positionals.length} are given`);
  if (!values.gold?.trim()) faults.push("--gold: say which column holds the true cluster");
  if (values.format !== undefined && values.format !== "csv" && values.format !== "ndjson")
    faults.push(`--format ${JSON.stringify(values.format)}: allowed is csv, ndjson`);
  if (values.region !== undefined && countryCode(values.region) !== values.region)
    faults.push(`--region ${JSON.stringify(values.region)}: allowed is two capital letters (ISO 3166-1)`);
  if (values["area-code"] !== undefined && !/^\d{2,5}$/.test(values["area-code"]))
    faults.push(`--area-code ${JSON.stringify(values["area-code"])}: allowed is 2 to 5 digits`);
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return {
    file: positionals[0]!,
    gold: values.gold!.trim(),
    map: values.map,
    format: values.format as "csv" | "ndjson" | undefined,
    region: values.region,
    areaCode: values["area-code"],
    sweep: values.sweep,
    json: values.json,
  };
}
