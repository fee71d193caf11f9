import assert from "node:assert/strict";
import { environmentOf, loadSettings, SettingsError, settingsTable, shieldEnvironment } from "../../config/settings.ts";

function faultsOf(env: Record<string, string>): string[] {
  try {
    loadSettings(env);
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    return error.faults;
  }
  return [];
}

describe("the settings", () => {
  it("are the defaults where the environment says nothing, and cannot be changed", () => {
    const settings = loadSettings({});
    assert.equal(settings.prefix, "leads");
    assert.equal(settings.drainMs, 25_000);
    assert.ok(Object.isFrozen(settings));
  });

  it("are read from the environment in their type", () => {
    const settings = loadSettings({
      LEADS_HTTP_PORT: "0",
      LEADS_TRUSTED_PROXIES: "10.0.0.0/8, ::1",
      LEADS_REDIS_URL: "",
    });
    assert.equal(settings.httpPort, 0);
    assert.deepEqual(settings.trustedProxies, ["10.0.0.0/8", "::1"]);
    assert.equal(settings.redisUrl, "");
  });

  for (const [name, value, what] of [
    ["LEADS_PAGESPEED_KEY", "half of a hush", "a key"],
    ["LEADS_SENDGRID_KEY", "SG.hush\n", "a key that came with the end of its line"],
    ["LEADS_LINK_SECRETS", "hush", "a secret that is too short"],
    ["LEADS_MAIL_EVENT_SECRETS", `${"x".repeat(32)},hush`, "one of several secrets"],
    ["LEADS_DATABASE_URL", "mysql://leads:hush@db.example/leads", "the password of a database"],
    ["LEADS_REDIS_URL", "http://:hush@127.0.0.1:6379", "the password of a cache"],
    ["LEADS_NATS_URL", "nats://127.0.0.1:4222,leads:hush@nats.example", "the password of one server of several"],
    ["LEADS_SMTP_URL", "leads:hush@smtp.example", "the password of an address without a scheme"],
    ["LEADS_SMTP_URL", "smtp://leads:hush50%off@smtp.example", "a password whose % begins no escape"],
    ["LEADS_NATS_URL", "nats://127.0.0.1:4222,nats://leads%:hush@nats.example", "a user whose % begins no escape"],
    ["LEADS_LISTINGS_ORIGINS", "https://leads:hush@lists.example.com", "the password of an origin"],
  ] as const)
    it(`refuse ${what} without showing it`, () => {
      const faults = faultsOf({ [name]: value });
      assert.equal(faults.length, 1);
      assert.ok(faults[0]!.startsWith(`${name}=(hidden): allowed is `), faults[0]);
      assert.doesNotMatch(faults[0]!, /hush/);
    });
  it("show a refused address that holds no password", () => {
    assert.match(faultsOf({ LEADS_MAIL_FROM: "leads@" })[0]!, /^LEADS_MAIL_FROM="leads@": /);
  });

  for (const [name, value, why] of [
    ["LEADS_HTTP_PORT", "70000", "too large"],
    ["LEADS_HTTP_PORT", "", "empty"],
    ["LEADS_HTTP_PORT", "8o80", "no number"],
    ["LEADS_DRAIN_MS", "25s", "with a unit"],
    ["LEADS_DRAIN_MS", "1e4", "not written out"],
    ["LEADS_DRAIN_MS", " 1000", "with a blank"],
    ["LEADS_NATS_URL", "http://127.0.0.1:4222", "of another scheme"],
    ["LEADS_NATS_URL", "127.0.0.1:4222", "without a scheme"],
    ["LEADS_NATS_URL", "", "empty where it is needed"],
    ["LEADS_PREFIX", "Leads", "with a capital"],
    ["LEADS_PREFIX", "leads.x", "with a dot, which is a subject's"],
    ["LEADS_LOG_LEVEL", "verbose", "no level"],
    ["LEADS_FETCH", "on", "not one of the words"],
    ["LEADS_TRUSTED_PROXIES", "10.0.0.0/8,somewhere", "with a part that is no address"],
  ] as const) {
    it(`refuse ${name} when it is ${why}, and say its name, its value and what is allowed`, () => {
      const [fault, ...others] = faultsOf({ [name]: value });
      assert.deepEqual(others, []);
      const { allowed } = settingsTable().find((setting) => setting.name === name)!;
      assert.equal(fault, `${name}=${JSON.stringify(value)}: allowed is ${allowed}`);
    });
  }

  it("refuse a LEADS_ name that is none of theirs, so that a slip of the pen is not a default", () => {
    assert.deepEqual(faultsOf({ LEADS_HTPP_PORT: "80" }), [
      "LEADS_HTPP_PORT is not a setting (see the table in README.md)",
    ]);
  });

  it("report all faults together", () => {
    const error = new SettingsError(
      faultsOf({ LEADS_HTTP_PORT: "x", LEADS_DRAIN_MS: "x", LEADS_X: "1", LEADS_PREFIX: "leads" }),
    );
    assert.equal(error.faults.length, 3);
    for (const name of ["LEADS_HTTP_PORT", "LEADS_DRAIN_MS", "LEADS_X"]) assert.match(error.message, new RegExp(name));
  });

  it("have defaults that they would themselves allow", () => {
    const env = Object.fromEntries(settingsTable().map((setting) => [setting.name, setting.default]));
    assert.deepEqual(loadSettings(env), loadSettings({}));
  });

  it("give a child process the same settings through its environment", () => {
    const settings = loadSettings({
      LEADS_PREFIX: "other",
      LEADS_TRUSTED_PROXIES: "10.0.0.1,::1",
      LEADS_HTTP_PORT: "0",
      LEADS_DATABASE_URL: "postgres://someone:pa%20ss@127.0.0.1:1/x",
    });
    assert.deepEqual(loadSettings(environmentOf(settings)), settings);
  });
});

describe("the shield against bare variables", () => {
  const meddling = { NAMESPACE: "x", CIRCUITBREAKER_ENABLED: "false", MOL_LOGGER: "false" };
  const harmless = { NAMESPACES: "x", ENABLED: "1" };
  before(() => void Object.assign(process.env, meddling, harmless));
  after(() => {
    for (const name of Object.keys({ ...meddling, ...harmless })) delete process.env[name];
  });

  it("takes away what Moleculer's runner would take for options, and nothing else", () => {
    const removed = shieldEnvironment({
      namespace: "",
      circuitBreaker: { enabled: true, check: () => true },
      logger: true,
    });
    assert.deepEqual(removed.sort(), Object.keys(meddling).sort());
    assert.equal(process.env["NAMESPACE"], undefined);
    assert.equal(process.env["NAMESPACES"], "x");
  });
});
