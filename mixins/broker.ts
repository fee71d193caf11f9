import { randomBytes } from "node:crypto";
import type { BrokerOptions } from "moleculer";
import type { Settings } from "../config/settings.ts";
import { resources } from "./resources.ts";

/** The options of a node of the mesh; `moleculer.config.ts` and the tests make their brokers with them. */
export function brokerOptions(settings: Settings): BrokerOptions {
  return {
    namespace: settings.prefix,
    transporter: {
      type: "NATS",
      options: {
        servers: settings.natsUrl,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 250,
        waitOnFirstConnect: true,
        pingInterval: 5_000,
        maxPingOut: 3,
      },
    },
    logLevel: settings.logLevel,
    uidGenerator: () => randomBytes(16).toString("hex"),
    middlewares: [resources(settings)],
  };
}
