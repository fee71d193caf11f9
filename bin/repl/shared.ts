import { hostname, userInfo } from "node:os";
import type { ServiceBroker } from "moleculer";

/** A command of the console. `words` are what stands on the line beside options. */
export interface Command {
  command: string;
  description: string;
  options: { option: string; description: string }[];
  run(broker: ServiceBroker, words: string[], options: Record<string, any>): Promise<Shown>;
}

/** For --json, and for people. */
export interface Shown {
  json: unknown;
  text: string;
}

export const jsonOption = { option: "--json", description: "print JSON" };
export const tenantOption = { option: "--tenant <name>", description: "this tenant's (default: all)" };
/** Who does it, in the log of operations. */
export const by = `repl ${userInfo().username}@${hostname()}`.slice(0, 100);
/** Ids that were shown: they are completed first. */
export const shownIds = new Set<string>();

export const call = (broker: ServiceBroker, action: string, params: object = {}): Promise<any> =>
  broker.call<any, object>(action, params, { timeout: 20_000 });
/** An option's number. Throws for what is none: JSON would carry it on as null, as if the option had not been given. */
export function numberOf(option: string, text: string): number {
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(number)) throw new Error(`--${option} takes a number from 0 up, not ${JSON.stringify(text)}`);
  return number;
}
export const note = (...ids: (string | undefined)[]) => {
  for (const id of ids) if (id) shownIds.add(id);
};
