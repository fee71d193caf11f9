import { Loggers, type LogLevels } from "moleculer";
import { type Logger, pino, symbols } from "pino";
import { type Settings, secretsOf } from "../config/settings.ts";
import { currentScope } from "./trace/scope.ts";

/** One line of the log, on its way to a reader. */
export interface LogLine {
  level: LogLevels;
  /** The service, or the part of Moleculer, that says it. */
  module: string;
  /** JSON, with its newline. */
  text: string;
}

export interface LogOptions {
  level: LogLevels;
  /** Called for each line, in order. Must return at once and not throw. */
  sinks: readonly ((line: LogLine) => void)[];
  /** What no line may hold. */
  hidden?: RegExp;
}

/** Names that a line has by itself: a field of the same name would be taken for it. */
const reserved = new Set(["time", "level", "node", "module", "message"]);

/**
 * Log lines by pino, for Moleculer's loggers: `logger.info("text", { leadId })` gives
 * `{"level","time","node","module",…,"message"}`, with the ids of the lead, request and trace on whose behalf it is said.
 * An Error becomes `error: { type, message, stack }` without its `data`, which may hold what a person sent. Moleculer's own
 * bridge would take our first argument for all of the message and lose the fields.
 */
export class LogLines extends Loggers.Base<{ level: LogLevels }> {
  readonly #root: Logger;

  constructor(options: LogOptions) {
    super({ level: options.level });
    const destination = {
      // Tells which level and logger a line comes from.
      [symbols.needsMetadataGsym]: true,
      lastLevel: 0,
      lastLogger: undefined as Logger | undefined,
      write: (text: string) => {
        const level = pino.levels.labels[destination.lastLevel] as LogLevels;
        const module = String(destination.lastLogger?.bindings()["module"] ?? "");
        const line = { level, module, text: options.hidden ? text.replace(options.hidden, "[hidden]") : text };
        for (const sink of options.sinks) sink(line);
      },
    };
    this.#root = pino(
      {
        level: options.level,
        base: null,
        messageKey: "message",
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: { level: (level) => ({ level }) },
      },
      destination,
    );
  }

  override getLogHandler(bindings: { nodeID?: string; mod?: string; svc?: string } = {}) {
    const module = bindings.svc ?? bindings.mod;
    const child = this.#root.child({ node: bindings.nodeID, module });
    // Below that Moleculer's cacher writes its keys, which are web sites.
    if (module === "cacher" && child.isLevelEnabled("debug")) child.level = "info";
    return (type: LogLevels, args: readonly unknown[]) => {
      if (!child.isLevelEnabled(type)) return;
      const { message, fields } = told(args);
      child[type]({ ...currentScope()?.about, ...fields }, message);
    };
  }
}

/** Warnings and worse to stderr, the rest to stdout. */
export function toConsole({ level, text }: LogLine): void {
  const isBad = level === "warn" || level === "error" || level === "fatal";
  (isBad ? process.stderr : process.stdout).write(text);
}

/**
 * From now on a line that cannot be written is lost, not the process: its disk is full, or the terminal it went to is
 * closed. What comes later is written again as soon as it can be. Node ends a process at such an error else.
 */
export function outliveOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}

/**
 * What no line may hold, whoever's words it quotes: e-mail addresses, phone numbers as we write them, keys of ours, and
 * the secrets of the settings.
 */
export function hiddenIn(settings: Settings): RegExp {
  const secrets = secretsOf(settings).map((secret) => literally(JSON.stringify(secret).slice(1, -1)));
  // An address is looked for at the beginning of a word alone: from each letter of a long one it takes seconds.
  const shapes = ["(?<![\\w.%+-])[\\w.%+-]+@[\\w-]+(?:\\.[\\w-]+)+", "\\+[1-9]\\d{7,14}\\b", "\\blf_[A-Za-z0-9_-]{43}"];
  return new RegExp([...secrets, ...shapes].join("|"), "g");
}

const literally = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** An error's words for a line of text. PostgreSQL quotes values in its messages, a person's among them. */
export function wordsOf(error: unknown): string {
  const { message, code } = error as { message?: unknown; code?: unknown };
  return isDatabaseError(error) ? `the database refuses (${String(code)})` : String(message ?? error);
}

function told(args: readonly unknown[]): { message: string; fields: Record<string, unknown> } {
  const words: string[] = [];
  const fields: Record<string, unknown> = {};
  for (const arg of args) {
    if (arg instanceof Error) fields["error"] = errorFields(arg);
    else if (arg !== null && typeof arg === "object" && !Array.isArray(arg)) addFields(fields, arg);
    else words.push(typeof arg === "string" ? arg : JSON.stringify(arg));
  }
  return { message: words.join(" "), fields };
}

function addFields(to: Record<string, unknown>, given: object): void {
  for (const [name, value] of Object.entries(given)) {
    if (reserved.has(name)) continue;
    to[name] = value instanceof Error ? errorFields(value) : typeof value === "bigint" ? String(value) : value;
  }
}

const isDatabaseError = (error: unknown): boolean => error instanceof Error && "severity" in error;

function errorFields(error: Error & { type?: string; code?: unknown }): Record<string, unknown> {
  const { type, code, message, stack, cause } = error;
  if (isDatabaseError(error)) {
    const { table, constraint, routine } = error as { table?: string; constraint?: string; routine?: string };
    return { type: "DatabaseError", code, table, constraint, routine };
  }
  return {
    type: type ?? error.name,
    ...(code === undefined ? {} : { code }),
    message,
    stack,
    ...(cause instanceof Error ? { cause: wordsOf(cause) } : {}),
  };
}
