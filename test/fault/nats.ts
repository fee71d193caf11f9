import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServerKind } from "../../bin/stack/server.ts";

/**
 * The store of the NATS server under test: 268 MB of it are set aside for the idempotency keys and 40 for the intake
 * and the dead letters; a ballast of the driver can fill the rest.
 */
export const storeBytes = 420 * 2 ** 20;

/** The same server with a store of {@link storeBytes}. */
export function limitedNats(kind: ServerKind, dir: string, more = ""): ServerKind {
  const file = join(dir, `nats-${Math.random().toString(36).slice(2)}.conf`);
  writeFileSync(file, `max_payload: 8MB\njetstream { max_file_store: ${storeBytes} }\n${more}\n`);
  return {
    ...kind,
    command(place) {
      const command = kind.command(place);
      return { ...command, args: [...command.args, "--config", file] };
    },
  };
}
