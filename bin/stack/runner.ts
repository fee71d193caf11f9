import { join } from "node:path";

/**
 * The young generation of a process's heap, of one size from its start on (MB, twice: V8 copies from one half to the
 * other). By default V8 lets it grow to 2 x 64 MB with a burst, as when an outage ends and its backlog comes at once, and
 * keeps it: stages of 70 MB came to 200 to 400. At 8 MB an import of all stages costs the processor what it costs without
 * a limit (365 us a lead against 358), at 4 MB an eighth more. A container starts with the same (compose/Dockerfile).
 */
export const heapFlags = ["--min-semi-space-size=8", "--max-semi-space-size=8"] as const;

const runner = join(import.meta.dirname, "..", "..", "node_modules", "moleculer", "bin", "moleculer-runner.mjs");

/** Arguments by which Node becomes a process of the mesh with these service files. To be run in the project's root. */
export function runnerArguments(files: readonly string[], config = "moleculer.config.ts"): string[] {
  return [...heapFlags, runner, "--config", config, ...files];
}
