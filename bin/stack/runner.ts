import { join } from "node:path";

/**
 * Bounds of a process's heap. A container starts with the same (compose/Dockerfile); bench/soak judges what comes of them.
 *
 * The young generation has one size from the start on (MB, twice: V8 copies from one half to the other). By itself V8 lets
 * it grow to 2 x 64 MB with a burst, as when an outage ends and its backlog comes at once, and keeps it: stages of 70 MB
 * came to 200 to 400. At 8 MB an import of all stages costs the processor what it costs without a limit (365 us a lead
 * against 358), at 4 MB an eighth more.
 *
 * What the old generation may come to at the most also sets how much garbage V8 lets gather between two collections: up to
 * four times what lives, from 2 GB on, which a machine of a few GB gives; 1.6 times at 1 GB, in which what lives is 25 to 40
 * MB of a stage and less than 150 of a process with all services. An import peaks at 170 instead of 220 MB, at the same
 * processor time a lead; at 512 MB that is a third more.
 */
export const heapFlags = ["--min-semi-space-size=8", "--max-semi-space-size=8", "--max-old-space-size=1024"] as const;

const runner = join(import.meta.dirname, "..", "..", "node_modules", "moleculer", "bin", "moleculer-runner.mjs");

/** Arguments by which Node becomes a process of the mesh with these service files. To be run in the project's root. */
export function runnerArguments(files: readonly string[], config = "moleculer.config.ts"): string[] {
  return [...heapFlags, runner, "--config", config, ...files];
}
