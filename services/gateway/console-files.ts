import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The files of the page, read once: nothing else is ever served. */

export interface ConsoleFile {
  bytes: Buffer;
  type: string;
  etag: string;
}

const folder = join(import.meta.dirname, "console");
const ours = {
  scripts: [
    "api.js",
    "app.js",
    "budget.js",
    "chart.js",
    "dead.js",
    "doubles.js",
    "figures.js",
    "flow.js",
    "format.js",
    "html.js",
    "imports.js",
    "lead.js",
    "leads.js",
    "letter.js",
    "live.js",
    "logs.js",
    "mail.js",
    "mesh.js",
    "operations.js",
    "redrive.js",
    "runbook.js",
    "session.js",
    "stage.js",
    "theme.js",
    "trouble.js",
    "ui.js",
    "virtual.js",
  ],
  styles: ["base.css", "flow.css", "forms.css", "parts.css", "places.css", "screens.css", "shell.css"],
};
/** Libraries, as their packages ship them. */
const libraries = {
  scripts: {
    "preact.js": "preact",
    "preact-hooks.js": "preact/hooks",
    "htm.js": "htm",
    "uplot.js": "uplot/dist/uPlot.esm.js",
  },
  styles: { "uplot.css": "uplot/dist/uPlot.min.css" },
};
const script = "text/javascript; charset=utf-8";
const style = "text/css; charset=utf-8";
const hash = (data: string | Buffer) => createHash("sha256").update(data).digest("base64");

function read(own: readonly string[], theirs: Record<string, string>, type: string): Map<string, ConsoleFile> {
  const paths = [
    ...own.map((name) => [name, join(folder, name)] as const),
    ...Object.entries(theirs).map(([name, from]) => [name, fileURLToPath(import.meta.resolve(from))] as const),
  ];
  return new Map(
    paths.map(([name, path]) => {
      const bytes = readFileSync(path);
      return [name, { bytes, type, etag: `"${hash(bytes).slice(0, 22)}"` }];
    }),
  );
}

/** Everything that the page is made of. */
export function consoleFiles() {
  const page = readFileSync(join(folder, "index.html"), "utf8");
  const [, importMap = ""] = /<script type="importmap">(.*?)<\/script>/s.exec(page) ?? [];
  return {
    page,
    /** Nothing runs, is styled or is fetched but what comes from here; the import map is known by its hash. */
    policy: [
      "default-src 'none'",
      `script-src 'self' 'sha256-${hash(importMap)}'`,
      "style-src 'self'",
      "img-src 'self' data:",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ].join("; "),
    scripts: read(ours.scripts, libraries.scripts, script),
    styles: read(ours.styles, libraries.styles, style),
  };
}
