import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { type ApiKey, createKey, listKeys, revokeKey } from "../mixins/keys.ts";
import { operated } from "../mixins/operation-log.ts";
import { openMesh, stackSettings } from "./import/open.ts";
import { type KeyCommand, readKeyCommand, usage } from "./key/arguments.ts";

/**
 * `npm run key`: makes, lists and revokes API keys of the mesh that runs from this checkout, or that the LEADS_*
 * variables name. Exit code 2 for a command line that is wrong, 1 for what failed.
 */
const stackDir = join(import.meta.dirname, "..", ".stack");

/** Who does it, in the log of operations. */
const by = `command ${userInfo().username}@${hostname()}`.slice(0, 100);

process.exitCode = await main();

async function main(): Promise<number> {
  let command: KeyCommand;
  try {
    command = readKeyCommand(process.argv.slice(2));
  } catch (error) {
    console.error(`key: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (command.command === "help") {
    console.log(usage);
    return 0;
  }
  try {
    const mesh = await openMesh(stackSettings(stackDir), `key-${process.pid}`);
    try {
      await run(command, await mesh.nats(), mesh.names);
    } finally {
      await mesh.close();
    }
    return 0;
  } catch (error) {
    console.error(`key: ${(error as Error).message}`);
    return 1;
  }
}

async function run(
  command: Exclude<KeyCommand, { command: "help" }>,
  nc: Parameters<typeof createKey>[0],
  names: Parameters<typeof createKey>[1],
): Promise<void> {
  const tell = (json: object, text: string) => console.log(command.json ? JSON.stringify(json) : text);
  switch (command.command) {
    case "create": {
      const { tenant, scopes, label } = command;
      const operation = { tenant, by, what: "key.create", target: tenant, detail: { scopes, label } };
      const key = await operated(nc, names, operation, () => createKey(nc, names, command));
      tell(
        { ...key, tenant, scopes },
        `key ${key.id} of ${tenant} (${scopes.join(", ")})\n${key.secret}\nThis is the only time the secret is shown.`,
      );
      return;
    }
    case "list": {
      const keys = (await listKeys(nc, names)).filter(({ tenant }) => !command.tenant || tenant === command.tenant);
      tell(keys, keys.length === 0 ? "no keys" : keys.map(line).join("\n"));
      return;
    }
    case "revoke": {
      const tenant = (await listKeys(nc, names)).find(({ id }) => id === command.id)?.tenant ?? "";
      const operation = { tenant, by, what: "key.revoke", target: command.id };
      const key = await operated(nc, names, operation, () => revokeKey(nc, names, command.id));
      tell(key, `key ${key.id} of ${key.tenant} is revoked`);
      return;
    }
    default:
      command satisfies never;
  }
}

function line({ id, tenant, scopes, label, createdAt, revokedAt }: ApiKey): string {
  const when = (ms: number) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
  const state = revokedAt === undefined ? "" : `  revoked ${when(revokedAt)}`;
  return `${id}  ${tenant.padEnd(16)}  ${scopes.join(",").padEnd(28)}  ${when(createdAt)}${state}${label ? `  ${label}` : ""}`;
}
