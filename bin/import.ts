import { join, resolve } from "node:path";
import { typedIn } from "../config/settings.ts";
import { readArguments, usage } from "./import/arguments.ts";
import { progressWriter } from "./import/bar.ts";
import { importFile } from "./import/import-file.ts";
import { openMesh, stackSettings } from "./import/open.ts";
import type { ImportSummary } from "./import/options.ts";

/**
 * `npm run import`: takes a file's leads into the mesh that runs from this checkout, or that the LEADS_* variables name.
 * Exit code 0 when the import ran, refused rows or not; 1 when it failed; 130 when it was stopped: run it again and it
 * goes on where it was.
 */
const stackDir = join(import.meta.dirname, "..", ".stack");
const grouped = new Intl.NumberFormat("en");

process.exitCode = await main().catch((error: Error) => {
  console.error(`import: ${error.message}`);
  return 1;
});

async function main(): Promise<number> {
  const read = readArguments(process.argv.slice(2));
  if (read === "help") {
    console.log(usage);
    return 0;
  }
  const { json, refusedFile, ...options } = read;
  // npm changes into the project's folder; a path is meant from where the command was typed.
  const from = typedIn();
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const mesh = await openMesh(stackSettings(stackDir), `import-${process.pid}`);
  const progress = progressWriter(process.stderr);
  try {
    const summary = await importFile(
      {
        ...options,
        file: resolve(from, options.file),
        refusedFile: refusedFile && resolve(from, refusedFile),
        stateDir: join(stackDir, "imports"),
      },
      mesh,
      (state) => progress.show(state),
      stop.signal,
    );
    progress.end();
    console.log(json ? JSON.stringify(summary) : told(summary));
    return 0;
  } catch (error) {
    progress.end();
    if (!stop.signal.aborted) throw error;
    console.error("stopped; run the same command again and it goes on where it was");
    return 130;
  } finally {
    await mesh.close();
  }
}

function told(summary: ImportSummary): string {
  const reasons = Object.entries(summary.refusedBy).sort(([, a], [, b]) => b - a);
  return [
    `rows      ${grouped.format(summary.rows)}${summary.resumedRows > 0 ? ` (${grouped.format(summary.resumedRows)} by an earlier run)` : ""}`,
    `accepted  ${grouped.format(summary.accepted)}`,
    `refused   ${grouped.format(summary.refused)}${summary.refusedFile ? `, in ${summary.refusedFile}` : ""}`,
    ...reasons.map(([reason, count]) => `  ${String(count).padStart(7)}  ${reason}`),
    `in        ${summary.seconds.toFixed(1)} s, ${grouped.format(summary.rowsPerSecond)} rows/s; import ${summary.importId}`,
  ].join("\n");
}
