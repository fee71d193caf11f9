import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { pipeline } from "../../config/pipeline.ts";
import { environmentOf, type Settings } from "../../config/settings.ts";
import { brokerOptions } from "../../mixins/broker.ts";
import { type Launched, launch, type ProcessRecord, stackMark, tail } from "./process.ts";
import { runnerArguments } from "./runner.ts";
import type { Supervised } from "./supervisor.ts";
import { childEnvironment } from "./tools.ts";

const root = join(import.meta.dirname, "..", "..");

/** Every service of the project: name of its folder, and file, from the root. */
export function serviceFiles(): { name: string; file: string }[] {
  return globSync("services/**/*.service.ts", { cwd: root })
    .sort()
    .map((file) => ({ name: basename(file, ".service.ts"), file }));
}

/** Where the API of a mesh with these settings is, from this machine. */
export function apiUrl({ httpHost, httpPort }: Settings): string {
  const host = /^(0\.0\.0\.0|::)$/.test(httpHost) ? "127.0.0.1" : httpHost;
  return `http://${host.includes(":") ? `[${host}]` : host}:${httpPort}`;
}

/** One process of the mesh. */
export interface MeshProcess {
  name: string;
  /** Files of its services, from the root. */
  files: string[];
  /** Settings of its own, by their `LEADS_` names. */
  env?: Record<string, string>;
}

/** What works for imports alone, or can be late. */
const besideLive = new Set(["admission", "analytics", "source", "places", "yelp"]);
/** What the stages call, so that it is near, and the record's bookings. */
const calledByStages = new Set(["site", "pagespeed", "semrush", "screenshot", "llm", "budget", "leads"]);

/**
 * The processes of a mesh on one machine: a service each; or three: the API, the live lane with all else, and the bulk lane.
 * So no answer waits for a lead that is in work, and no live lead for the event loop of an import.
 */
export function nodesOf(separate: boolean): MeshProcess[] {
  const services = serviceFiles();
  if (separate) return services.map(({ name, file }) => ({ name, files: [file] }));
  const stages = new Set(pipeline.map(({ name }) => name));
  const files = (wanted: (name: string) => boolean) =>
    services.filter(({ name }) => wanted(name)).map(({ file }) => file);
  return [
    { name: "gateway", files: files((name) => name === "gateway") },
    { name: "live", files: files((name) => name !== "gateway" && !besideLive.has(name)), env: { LEADS_LANES: "live" } },
    {
      name: "bulk",
      files: files((name) => stages.has(name) || besideLive.has(name) || calledByStages.has(name)),
      env: { LEADS_LANES: "bulk" },
    },
  ];
}

interface NodeOptions {
  settings: Settings;
  /** The stack's folder. */
  dir: string;
  onSpawn(record: ProcessRecord): void;
}

/** One process of the mesh, run as anyone would run it: by Moleculer's runner with our configuration. */
export class MeshNode implements Supervised {
  readonly #node: MeshProcess;
  readonly #options: NodeOptions;
  #process: Launched | undefined;

  constructor(node: MeshProcess, options: NodeOptions) {
    this.#node = node;
    this.#options = options;
  }

  get name(): string {
    return this.#node.name;
  }

  async start(): Promise<void> {
    const { settings, dir, onSpawn } = this.#options;
    const log = this.log;
    const { files, env } = this.#node;
    const hasApi = files.some((file) => file.endsWith("gateway.service.ts"));
    this.#process = await launch(process.execPath, runnerArguments(files), {
      log,
      cwd: root,
      env: { ...childEnvironment(), ...environmentOf(settings), ...env, [stackMark]: dir },
      onSpawn: (pid, birth) =>
        onSpawn({ name: this.name, pid, birth, log, ...(hasApi ? { url: apiUrl(settings) } : {}) }),
    });
  }

  get log(): string {
    return join(this.#options.dir, "log", `${this.name}.log`);
  }

  ended(): Promise<unknown> {
    return this.#process?.ended ?? Promise.resolve();
  }

  /** The end of its output, for one that does not come up. */
  lastWords(): string {
    return tail(this.log);
  }
}

/** Joins the mesh for a moment and waits until it has every service. Throws with the names of those that are missing. */
export async function waitForServices(settings: Settings, withinMs: number): Promise<void> {
  const schemas = await Promise.all(
    serviceFiles().map(
      async ({ file }) => ((await import(pathToFileURL(join(root, file)).href)) as { default: ServiceSchema }).default,
    ),
  );
  const names = schemas.map(({ name, version }) => (version === undefined ? { name } : { name, version }));
  const broker = new ServiceBroker({
    ...brokerOptions(settings),
    nodeID: `start-${process.pid}`,
    logger: false,
    skipProcessEventRegistration: true,
  });
  await broker.start();
  try {
    await broker.waitForServices(names, withinMs);
  } finally {
    await broker.stop();
  }
}
