/** `npm run repl`: joins the mesh that `npm start` brought up, with Moleculer's console and the operators' commands. */
import { createRequire } from "node:module";
import { ServiceBroker } from "moleculer";
import { loadSettings } from "../config/settings.ts";
import { brokerOptions } from "../mixins/broker.ts";
import { customCommands } from "./repl/commands.ts";
import { completer } from "./repl/complete.ts";
import { dirFlag } from "./stack/flags.ts";
import { ownerOf, readState } from "./stack/state.ts";

const dir = dirFlag(process.argv.slice(2));
const state = readState(dir);
if (!ownerOf(dir) || state.apiUrl === undefined) {
  console.error("no mesh of this folder is up: npm start brings one up");
  process.exit(1);
}

// It prints the environment. Its history goes to the home, which bin/bootstrap.mjs has put into .stack/.
createRequire(import.meta.url)("moleculer-repl/src/commands/env.js").register = () => {};

const broker = new ServiceBroker({
  ...brokerOptions(loadSettings({ ...state.env, LEADS_LOG_LEVEL: "warn" })),
  nodeID: `repl-${process.pid}`,
  replOptions: { customCommands, delimiter: "mol $" } as never,
});
await broker.start();
const server = broker.repl() as unknown as { completer: Parameters<typeof completer>[1] };
server.completer = completer(broker, server.completer);
