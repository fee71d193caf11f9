import { connect } from "nats";
import type { ServerKind } from "../../bin/stack/server.ts";

/** A NATS server that is started without JetStream, unless `has` says otherwise at that moment. */
export function bareNats(kind: ServerKind, has = () => false): ServerKind {
  return {
    ...kind,
    command(place) {
      const command = kind.command(place);
      if (has()) return command;
      // Its configuration switches JetStream on, too.
      const args = command.args.filter(
        (arg, n, all) => arg !== "--jetstream" && ![arg, all[n - 1]].includes("--config"),
      );
      return { ...command, args };
    },
    async isReady(url) {
      await (await connect({ servers: url, maxReconnectAttempts: 0, timeout: 1_000 })).close();
      return true;
    },
  };
}
