import { connect } from "node:net";
import { join } from "node:path";
import type { ServerKind } from "./server.ts";
import { findOrInstall, type Log, onPath } from "./tools.ts";

/**
 * redis-server, or undefined where there is none: then each process caches for itself. As root on Debian it is
 * installed: the package `redis-tools` holds the very binary (it acts as the server when called so), and unlike
 * `redis-server` it starts no system service.
 */
export const findRedisServer = (log: Log): Promise<string | undefined> =>
  findOrInstall(
    () => onPath("redis-server") ?? onPath("valkey-server") ?? onPath("redis-check-rdb"),
    "redis-tools",
    log,
  );

/** A private Redis that keeps nothing on disk: all it holds is a cache. */
export function redisServer(binary: string): ServerKind {
  return {
    name: "redis",
    command: ({ port, dataDir }) => ({
      file: binary,
      argv0: "redis-server",
      args: [
        ...["--bind", "127.0.0.1", "--port", String(port), "--dir", dataDir, "--pidfile", join(dataDir, "pid")],
        ...["--daemonize", "no", "--save", "", "--appendonly", "no"],
        // A cache that is full forgets what was not used for longest.
        ...["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"],
      ],
    }),
    url: ({ port }) => `redis://127.0.0.1:${port}`,
    stopSignal: "SIGTERM",
    isReady: (url) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
        socket.setTimeout(1_000, () => socket.destroy(new Error("no answer")));
        socket.once("error", reject);
        socket.once("data", (data) => {
          socket.destroy();
          resolve(data.toString().startsWith("+PONG"));
        });
        socket.write("PING\r\n");
      }),
  };
}
