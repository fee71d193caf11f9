import type { ServiceBroker } from "moleculer";
import { resourcesOf } from "../../mixins/resources.ts";
import { shownIds } from "./shared.ts";

type Completion = [string[], string];
type Completer = (line: string, callback: (error: Error | null, found: Completion) => void) => void;

const verbs = ["show", "redrive", "discard", "jobs"];
/** Letters that are offered. */
const letters = 100;

/** Completes stage names, node ids, streams and ids of letters and leads; all else as `fallback` does. */
export function completer(broker: ServiceBroker, fallback: Completer): Completer {
  return (line, callback) => {
    const words = line.split(" ");
    const [command = ""] = words;
    if (words.length < 2) return fallback.call(null, line, callback);
    candidates(broker, command, words.slice(1, -1)).then(
      (found) => {
        if (!found) return fallback.call(null, line, callback);
        const last = words.at(-1)!;
        callback(null, [found.filter((word) => word.startsWith(last)), last]);
      },
      () => callback(null, [[], line]),
    );
  };
}

/** What may stand next; null for a command that is not ours. */
async function candidates(broker: ServiceBroker, command: string, before: string[]): Promise<string[] | null> {
  const { flow, side, names } = resourcesOf(broker);
  const stages = [...flow, ...side].map(({ name }) => name);
  if (before.at(-1) === "--stage") return stages;
  switch (command) {
    case "stage":
      return before.length === 0 ? stages : ["--pause", "--resume", "--json"];
    case "stream":
      return before.length === 0
        ? [...stages, "intake", "accepted", "park", "dead", "operations"].map((name) => names.streams + name)
        : ["--peek", "--json"];
    case "drain":
      return (broker.registry.getNodeList({ onlyAvailable: true, withServices: false }) as { id: string }[]).map(
        ({ id }) => id,
      );
    case "lead":
    case "why":
      return before.length === 0 ? ids(broker, "leadId") : ["--json"];
    case "dead":
      if (before.length === 0) return [...verbs, "--tenant", "--stage", "--error", "--since", "--limit", "--json"];
      return ids(broker, "id");
    case "stages":
    case "streams":
      return ["--json"];
    case "audit":
    case "operations":
      return ["--tenant", "--json"];
    default:
      return null;
  }
}

/** Those that were shown, and those of the newest dead letters. */
async function ids(broker: ServiceBroker, field: "id" | "leadId"): Promise<string[]> {
  const asked = { tenant: "*", limit: letters };
  const { items } = await broker.call<{ items: { id: string; leadId?: string }[] }, object>("dead-letters.list", asked);
  const isLetter = (id: string) => /^\d+-[0-9a-z]+$/.test(id);
  const shown = [...shownIds].filter((id) => isLetter(id) === (field === "id"));
  return [...new Set([...shown, ...items.flatMap((item) => item[field] ?? [])])];
}
