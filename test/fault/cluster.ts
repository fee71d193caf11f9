import { connect } from "nats";
import { natsServer } from "../../bin/stack/nats.ts";
import { freePort, until } from "../../bin/stack/process.ts";
import type { ServerKind } from "../../bin/stack/server.ts";
import { type OwnServer, own } from "../support/servers.ts";

/** Three NATS servers that know each other: JetStream elects a leader among them, for itself and for each stream. */
export async function startCluster(binary: string): Promise<OwnServer[]> {
  const routes: number[] = [];
  for (let n = 0; n < 3; n++) routes.push(await freePort());
  const kinds = routes.map((port, n) => member(natsServer(binary), n, port, routes));
  const servers = await Promise.all(kinds.map(own));
  // A cluster answers when it has a leader; before that each server alone says that it is up.
  await until("the cluster has a leader", 30_000, async () => {
    const nc = await connect({ servers: servers[0]!.url, timeout: 1_000 }).catch(() => null);
    if (!nc) return false;
    try {
      await (await nc.jetstreamManager({ timeout: 1_000 })).getAccountInfo();
      return true;
    } catch {
      return false;
    } finally {
      await nc.close();
    }
  });
  return servers;
}

export const memberName = (n: number): string => `n${n}`;

function member(kind: ServerKind, n: number, port: number, routes: readonly number[]): ServerKind {
  return {
    ...kind,
    command(place) {
      const command = kind.command(place);
      const cluster = ["--cluster_name", "fault", "--cluster", `nats://127.0.0.1:${port}`];
      const all = routes.map((route) => `nats://127.0.0.1:${route}`).join(",");
      return { ...command, args: [...command.args, "--server_name", memberName(n), ...cluster, "--routes", all] };
    },
    // Up alone, it has nobody to elect.
    async isReady(url) {
      const nc = await connect({ servers: url, maxReconnectAttempts: 0, timeout: 1_000 });
      await nc.close();
      return true;
    },
  };
}
