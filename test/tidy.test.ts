import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type SourceFile, sourceFiles } from "./support/source-files.ts";

const root = join(import.meta.dirname, "..");
const files = sourceFiles();
const byPath = new Map(files.map((file) => [file.path, file]));
const product = files.filter(({ path }) => /^(config|mixins|services)\//.test(path));

const folderOf = (path: string) => path.split("/")[0]!;
const serviceOf = (path: string) => path.split("/")[1]!;
const isSql = (path: string) => path.endsWith(".sql.ts") || path.includes("/migrations/");
const isService = (path: string) => path.endsWith(".service.ts");
/** What any service may take from the one that owns the record. */
const isRecord = (path: string) => /^services\/leads\/(lead|row|record|tiers|timeline|[a-z-]+\.sql)\.ts$/.test(path);
/** The rules of the edge: pure, and shared by all that take leads in. No service of its own. */
const isEdge = (path: string) => path.startsWith("services/intake/");

/**
 * The hands of the services: beside the schema, they touch the broker, a stream, a file, the network or the clock.
 * Everything else in services/ is pure. A file that is no longer one of these must leave the list.
 */
const hands = new Set([
  "services/admission/admitter.ts",
  "services/analytics/counter.ts",
  "services/budget/ledger.ts",
  "services/budget/sweeper.ts",
  "services/dead-letters/dry-run.ts",
  "services/dead-letters/put-back.ts",
  "services/dead-letters/sweep.ts",
  "services/dead-letters/worker.ts",
  "services/dedupe/resumer.ts",
  "services/email/sender.ts",
  "services/email/set-aside.ts",
  "services/enrich/ask.ts",
  "services/gateway/analytics-handlers.ts",
  "services/gateway/analytics-operations.ts",
  "services/gateway/calls.ts",
  "services/gateway/checks.ts",
  "services/gateway/intake-handlers.ts",
  "services/gateway/console-files.ts",
  "services/gateway/console-handlers.ts",
  "services/gateway/console-operations.ts",
  "services/gateway/log-handlers.ts",
  "services/gateway/log-operations.ts",
  "services/gateway/mail-handlers.ts",
  "services/gateway/mail-operations.ts",
  "services/gateway/operate-handlers.ts",
  "services/gateway/operate-operations.ts",
  "services/gateway/operations.ts",
  "services/gateway/review-handlers.ts",
  "services/gateway/review-operations.ts",
  "services/gateway/rights-handlers.ts",
  "services/gateway/rights-operations.ts",
  "services/gateway/tellers.ts",
  "services/gateway/tier-handlers.ts",
  "services/gateway/tier-operations.ts",
  "services/intake/uuidv7.ts",
  "services/leads/audit.ts",
  "services/leads/leads-table.ts",
  "services/leads/pull.ts",
  "services/leads/reader.ts",
  "services/leads/record.ts",
  "services/leads/recorder.ts",
  "services/leads/reindex.ts",
  "services/leads/tiers.ts",
  "services/listing-ndjson/lists.ts",
  "services/operations/streams.ts",
  "services/operations/watch.ts",
  "services/operations/whereabouts.ts",
  "services/llm/model.ts",
  "services/metrics/figures.ts",
  "services/metrics/look.ts",
  "services/metrics/nodes.ts",
  "services/sendgrid/send.ts",
  "services/rights/erasers.ts",
  "services/rights/rewrite.ts",
  "services/rights/streams.ts",
  "services/site/control.ts",
  "services/site/fetch.ts",
  "services/site/resolve.ts",
  "services/site/technologies.ts",
  "services/site/visitor.ts",
  "services/smtp/fate.ts",
  "services/smtp/mime.ts",
  "services/source/worker.ts",
]);
const world =
  /^(moleculer.*|nats|knex|pg|ioredis|undici|node:(fs|net|tls|http|https|dns|child_process|timers)(\/.*)?)$/;
const clock =
  /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bset(Timeout|Interval)\(|\bMath\.random\(|\brandom(Bytes|UUID)\(/;

/** What a file does that a pure one may not. */
function worldly({ imports, code }: SourceFile): string[] {
  const reached = imports.filter(({ target, ours }) => (ours ? folderOf(target) === "mixins" : world.test(target)));
  return [...reached.map(({ target }) => target), ...(clock.exec(code)?.slice(0, 1) ?? [])];
}

function violations(check: (file: SourceFile) => string[], among = files): string[] {
  return among.flatMap((file) => check(file).map((what) => `${file.path}: ${what}`));
}

describe("the layout", () => {
  it("lets every file import only what its folder may", () => {
    const allowed = ({ path }: SourceFile, target: string): boolean => {
      if (target === "package.json") return true;
      const to = folderOf(target);
      switch (folderOf(path)) {
        case "config":
          return to === "config";
        case "mixins":
          return to === "mixins" || to === "config";
        case "services":
          if (to !== "services") return to === "mixins" || to === "config";
          return serviceOf(target) === serviceOf(path) || isRecord(target) || isEdge(target);
        case "moleculer.config.ts":
          return to === "mixins" || to === "config";
        case "bench":
        case "bin":
          return to !== "test" || path.startsWith("bench/");
        default:
          return true;
      }
    };
    const found = violations((file) =>
      file.imports.filter(({ target, ours }) => ours && !allowed(file, target)).map(({ target }) => target),
    );
    assert.deepEqual(found, []);
  });

  it("keeps the thinking pure: no broker, no store, no file, no network, no clock", () => {
    const pure = product.filter(
      ({ path }) => folderOf(path) === "services" && !isService(path) && !isSql(path) && !hands.has(path),
    );
    assert.ok(pure.length > 20, "the pure files are found");
    assert.deepEqual(violations(worldly, pure), []);
    const reach = violations(
      ({ imports }) =>
        imports
          .filter(({ target, typeOnly }) => !typeOnly && (hands.has(target) || isSql(target)))
          .map((i) => i.target),
      pure.filter(({ path }) => !isEdge(path)),
    );
    assert.deepEqual(reach, [], "what a pure file imports is pure");
  });

  it("names no file as a hand that is gone or has become pure", () => {
    const stale = [...hands].filter((path) => !byPath.has(path) || worldly(byPath.get(path)!).length === 0);
    // A type of another hand's is reason enough.
    assert.deepEqual(stale, []);
  });

  it("has no import that leads nowhere, and none in a circle", () => {
    const broken = violations(({ imports }) =>
      imports.filter(({ target, ours }) => ours && !existsSync(join(root, target))).map(({ target }) => target),
    );
    assert.deepEqual(broken, []);
    assert.deepEqual(cycles(), []);
  });

  it("has no dead file: each is reached from a service, a command, a bench or a test, and what is shipped not from tests alone", () => {
    const entries = (path: string) =>
      isService(path) ||
      path === "moleculer.config.ts" ||
      path === "test/fault/run.ts" ||
      /^(bin|bench)\/[^/]+\.(ts|mjs)$/.test(path);
    const shipped = reached(files.map(({ path }) => path).filter(entries));
    const tested = reached(
      files.map(({ path }) => path).filter((path) => /\.test\.ts$|support\/(hooks|reporter)\.ts$/.test(path)),
    );
    const dead = files
      .map(({ path }) => path)
      .filter((path) => !shipped.has(path) && !(folderOf(path) === "test" && tested.has(path)));
    assert.deepEqual(dead, []);
  });

  it("has every top-level folder and file in its place", () => {
    for (const name of [
      "services",
      "mixins",
      "config",
      "compose",
      "bench",
      "bin",
      "test",
      "docs",
      ".ci/run",
      "README.md",
      "LICENSE",
    ])
      assert.ok(existsSync(join(root, name)), name);
  });
});

describe("the code", () => {
  it("keeps SQL in *.sql.ts and the migrations", () => {
    // The one that makes and drops whole databases owns no table.
    const elsewhere = [...product, ...files.filter(({ path }) => path.startsWith("bin/"))].filter(
      ({ path }) => !isSql(path) && path !== "bin/stack/postgres.ts",
    );
    const statement =
      /["'`]\s*(select\s+(?!1["'`])[\w*("]|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s*\(|create\s+(table|index)\s)/i;
    assert.deepEqual(
      violations(({ code }) => statement.exec(code)?.slice(0, 1) ?? [], elsewhere),
      [],
    );
  });

  it("reads the environment in config/settings.ts alone", () => {
    const reader = /\bprocess\.env\b/;
    // Commands make the environment of child processes in one place, and bootstrap.mjs runs before there is TypeScript.
    const others = files.filter(
      ({ path }) =>
        !["config/settings.ts", "bin/stack/tools.ts", "bin/bootstrap.mjs"].includes(path) && folderOf(path) !== "test",
    );
    assert.deepEqual(
      violations(({ code }) => reader.exec(code)?.slice(0, 1) ?? [], others),
      [],
    );
  });

  it("makes the names of streams, subjects and keys in config/names.ts alone", () => {
    const made =
      /`[^`]*\$\{[^}]*\bprefix\}[-.:][^`]*`|["'`]leads-(enrich|dedupe|score|mockup|email|dead|park|intake|accepted)\b/;
    const others = product.filter(({ path }) => path !== "config/names.ts");
    assert.deepEqual(
      violations(({ code }) => made.exec(code)?.slice(0, 1) ?? [], others),
      [],
    );
  });

  it("casts to a service's schema in mixins/schema.ts alone", () => {
    const cast = /as unknown as ServiceSchema/;
    const others = files.filter(({ path }) => path !== "mixins/schema.ts" && path !== "test/tidy.test.ts");
    assert.deepEqual(
      violations(({ code }) => cast.exec(code)?.slice(0, 1) ?? [], others),
      [],
    );
  });

  it("has no file that only passes on what others export", () => {
    const barrel = ({ code }: SourceFile) =>
      code.trim() !== "" &&
      code
        .trim()
        .split(/;\s*/)
        .every((part) => part === "" || /^export\s[^=]*\sfrom\s/.test(part));
    assert.deepEqual(
      violations((file) => (barrel(file) ? ["a barrel"] : []), files),
      [],
    );
  });

  it("has files of at most 300 lines, and tests of at most 400", () => {
    /** Tables, that a reader looks things up in. */
    const tables: Record<string, number> = {
      "config/settings.ts": 900,
      "services/mockup/trades.ts": 500,
      "mixins/metrics.ts": 400,
      "test/mesh/gateway-openapi.test.ts": 500,
      "bin/dashboards/boards.ts": 500,
    };
    const limit = (path: string) => tables[path] ?? (folderOf(path) === "test" ? 400 : 300);
    assert.deepEqual(
      violations(({ path, lines }) => (lines > limit(path) ? [`${lines} lines`] : [])),
      [],
    );
  });

  it("leaves nothing for later, and no test that shuts out the others", () => {
    const words = new RegExp(`\\b(${["TO", "FIX", "XX"].map((a, n) => a + ["DO", "ME", "X"][n]).join("|")})\\b`);
    const only = new RegExp(`\\b(describe|it|context)\\.${"only"}\\(`);
    assert.deepEqual(
      violations(({ text }) => [words, only].flatMap((pattern) => pattern.exec(text)?.slice(0, 1) ?? [])),
      [],
    );
  });
});

/** Files that a file names: by import, or as a path (a worker that is forked, a module imported by a computed name). */
function named({ path, code, imports }: SourceFile): string[] {
  const here = path.split("/").slice(0, -1).join("/");
  const literals = [...code.matchAll(/["'`](?:\.\/)?([\w./-]+\.(?:ts|mjs))["'`]/g)].map(([, name]) => name!);
  return [
    ...imports.filter(({ ours }) => ours).map(({ target }) => target),
    ...literals.flatMap((name) => [name, join(here, name)]),
  ].filter((target) => byPath.has(target));
}

function reached(from: string[]): Set<string> {
  const seen = new Set(from);
  for (const path of seen) for (const target of named(byPath.get(path)!)) seen.add(target);
  return seen;
}

function cycles(): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: string[]): void => {
    const at = way.indexOf(path);
    if (at >= 0) {
      found.push([...way.slice(at), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const { target, ours, typeOnly } of byPath.get(path)?.imports ?? [])
      if (ours && !typeOnly) visit(target, [...way, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return found;
}
