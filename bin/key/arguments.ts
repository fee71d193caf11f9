import { parseArgs } from "node:util";
import { tenantPattern } from "../../config/names.ts";
import { type Scope, scopes } from "../../mixins/keys.ts";

export const usage = `npm run key -- create --tenant T --scopes ${scopes.join(",")} [--label TEXT]
npm run key -- list [--tenant T]
npm run key -- revoke ID

  create    makes a key and prints its secret, which is kept nowhere
              ingest    take leads in           operate   dead letters, merges, erasures, e-mails and settings of the tenant
              read      read leads and outbox   platform  stages, streams and nodes of everybody
  list      all keys, the revoked ones too, without their secrets
  revoke    ends a key for good; gateways refuse it within a second
  --json    answers one line of JSON`;

export type KeyCommand =
  | { command: "help" }
  | { command: "create"; tenant: string; scopes: Scope[]; label?: string; json: boolean }
  | { command: "list"; tenant?: string; json: boolean }
  | { command: "revoke"; id: string; json: boolean };

/** Reads the command line. Throws one error that names everything that is wrong with it. */
export function readKeyCommand(args: string[]): KeyCommand {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      tenant: { type: "string" },
      scopes: { type: "string" },
      label: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [command, ...rest] = positionals;
  const { tenant, label, json } = values;
  if (values.help || command === undefined || command === "help") return { command: "help" };
  const faults: string[] = [];
  const given = (["tenant", "scopes", "label"] as const).filter((name) => values[name] !== undefined);
  const takes = (names: readonly string[], count: number) => {
    for (const name of given) if (!names.includes(name)) faults.push(`${command} takes no --${name}`);
    if (rest.length > count) faults.push(`${rest.slice(count).join(" ")}: not understood`);
  };
  if (tenant !== undefined && !tenantPattern.test(tenant))
    faults.push(`--tenant "${tenant}": lower-case letters, digits and dashes, at most 32, the first no dash`);

  let read: KeyCommand | undefined;
  if (command === "create") {
    takes(["tenant", "scopes", "label"], 0);
    const wanted = (values.scopes ?? "").split(",").flatMap((scope) => scope.trim() || []);
    if (tenant === undefined) faults.push("--tenant is missing");
    if (wanted.length === 0) faults.push(`--scopes is missing: some of ${scopes.join(",")}`);
    for (const scope of wanted)
      if (!scopes.includes(scope as Scope)) faults.push(`--scopes "${scope}": is not one of ${scopes.join(", ")}`);
    read = { command, tenant: tenant!, scopes: wanted as Scope[], json, ...(label === undefined ? {} : { label }) };
  } else if (command === "list") {
    takes(["tenant"], 0);
    read = { command, json, ...(tenant === undefined ? {} : { tenant }) };
  } else if (command === "revoke") {
    takes([], 1);
    if (rest[0] === undefined) faults.push("revoke which key? give its id (npm run key -- list)");
    else if (!/^[0-9a-f]{12}$/.test(rest[0])) faults.push(`"${rest[0].slice(0, 60)}" is no key's id: 12 hex digits`);
    read = { command, id: rest[0]!, json };
  } else faults.push(`"${command}" is none of create, list, revoke`);
  if (faults.length > 0) throw new Error(faults.join("\n     "));
  return read!;
}
