import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { namesFor } from "../../config/names.ts";
import type { Settings } from "../../config/settings.ts";
import { createKey, listKeys, scopes } from "../../mixins/keys.ts";
import { connectNats } from "../../mixins/resources.ts";

/** The tenant whose leads the sample's are. */
export const demoTenant = "demo";

/** The stack's API key, with every scope: the one of the start before while it is good, else a new one. Kept for its owner's eyes. */
export async function demoKey(settings: Settings, dir: string): Promise<string> {
  const file = join(dir, "api-key.json");
  const names = namesFor(settings.prefix);
  const nc = await connectNats(settings, `start-${process.pid}`);
  try {
    const kept = read(file);
    if (kept && (await listKeys(nc, names)).some(({ id, revokedAt }) => id === kept.id && revokedAt === undefined))
      return kept.secret;
    const key = await createKey(nc, names, { tenant: demoTenant, scopes, label: "npm start" });
    writeFileSync(file, JSON.stringify(key), { mode: 0o600 });
    return key.secret;
  } finally {
    await nc.close();
  }
}

function read(file: string): { id: string; secret: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
