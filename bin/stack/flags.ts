import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dirname, "..", "..");

export interface StartFlags {
  /** The stack's folder. */
  dir: string;
  /** End after the sample. */
  once: boolean;
  /** Leave it running and return. */
  detach: boolean;
  /** One process a service. */
  separate: boolean;
  /** Start Prometheus and others beside it. */
  observe: boolean;
  /** Take the sample through. */
  sample: boolean;
  /** This is the process that {@link detach} leaves behind. */
  background: boolean;
}

const options = {
  once: { type: "boolean", default: false },
  detach: { type: "boolean", default: false },
  separate: { type: "boolean", default: false },
  observe: { type: "boolean", default: false },
  sample: { type: "boolean", default: true },
  background: { type: "boolean", default: false },
  dir: { type: "string" },
} as const;

export const startUsage = `npm start -- [--once] [--detach] [--separate] [--observe] [--no-sample] [--dir FOLDER]
  --once       end after the sample; exit 0 only when conservation holds
  --detach     leave it running and return; npm stop ends it
  --separate   a process for each service, started again when it dies
  --observe    start Prometheus, Alertmanager and exporters beside it, those that can be had
  --no-sample  take no sample leads through
  --dir        where its data stand instead of .stack`;

/** Reads the flags of `npm start`. Throws for one that is unknown, or two that contradict each other. */
export function startFlags(args: string[]): StartFlags {
  const { values } = parseArgs({ args, options, allowNegative: true });
  if (values.once && values.detach) throw new Error("--once ends it and --detach leaves it running: give one of them");
  if (values.once && !values.sample) throw new Error("--once ends after the sample: it cannot go with --no-sample");
  return { ...values, dir: folder(values.dir) };
}

/** The stack's folder of a command that takes only `--dir`, and what else stands on its line. */
export function dirFlag(args: string[]): string {
  const { values } = parseArgs({ args, options: { dir: { type: "string" } } });
  return folder(values.dir);
}

function folder(dir: string | undefined): string {
  return dir === undefined ? join(root, ".stack") : resolve(dir);
}
