import { isIP } from "node:net";

/**
 * The settings: one table, read once from the environment, validated once, frozen.
 * The sole reader of `process.env`. The README's table is generated from `settingsTable()`.
 */

interface Setting<T> {
  name: `LEADS_${string}`;
  type: string;
  unit?: string;
  default: T;
  allowed: string;
  text: string;
  /** Throws nothing; returns undefined for a value that is not allowed. */
  parse(raw: string): T | undefined;
}

export class SettingsError extends Error {
  readonly faults: string[];
  constructor(faults: string[]) {
    super(`${faults.length === 1 ? "a setting is" : `${faults.length} settings are`} wrong:\n  ${faults.join("\n  ")}`);
    this.name = "SettingsError";
    this.faults = faults;
  }
}

function whole(
  name: Setting<number>["name"],
  value: number,
  min: number,
  max: number,
  unit: string,
  text: string,
): Setting<number> {
  return {
    name,
    type: "whole number",
    unit,
    default: value,
    allowed: `${min} to ${max}`,
    text,
    parse: (raw) => (/^-?\d+$/.test(raw) && Number(raw) >= min && Number(raw) <= max ? Number(raw) : undefined),
  };
}
function choice<const T extends string>(
  name: Setting<T>["name"],
  value: NoInfer<T>,
  values: readonly T[],
  text: string,
): Setting<T> {
  return {
    name,
    type: "word",
    default: value,
    allowed: values.join(", "),
    text,
    parse: (raw) => values.find((v) => v === raw),
  };
}
function pattern(
  name: Setting<string>["name"],
  value: string,
  shape: RegExp,
  allowed: string,
  text: string,
): Setting<string> {
  return { name, type: "text", default: value, allowed, text, parse: (raw) => (shape.test(raw) ? raw : undefined) };
}
function url(name: Setting<string>["name"], value: string, schemes: readonly string[], text: string): Setting<string> {
  const optional = value === "";
  return {
    name,
    type: "URL",
    default: value,
    allowed: `${schemes.map((s) => `${s}://…`).join(", ")}${optional ? ", or empty" : ""}`,
    text,
    parse: (raw) => {
      if (raw === "") return optional ? "" : undefined;
      const parsed = URL.parse(raw);
      return parsed && schemes.includes(parsed.protocol.slice(0, -1)) && isReadable(parsed) ? raw : undefined;
    },
  };
}
/** Can its user and password be decoded? A URL may hold a % that begins no escape; whoever connects cannot read it. */
function isReadable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(`${username}:${password}`);
    return true;
  } catch {
    return false;
  }
}
function share(name: Setting<number>["name"], value: number, text: string): Setting<number> {
  return {
    name,
    type: "share",
    default: value,
    allowed: "0 to 1, six decimals at the most",
    text,
    parse: (raw) => (/^(0(\.\d{1,6})?|1(\.0{1,6})?)$/.test(raw) ? Number(raw) : undefined),
  };
}
/** One or several URLs, comma separated; all of them must be right. */
function urls(name: Setting<string>["name"], value: string, schemes: readonly string[], text: string): Setting<string> {
  const one = url(name, value, schemes, text);
  return {
    ...one,
    allowed: `${one.allowed}; several with commas`,
    parse: (raw) => (raw.split(",").every((part) => one.parse(part) !== undefined) ? raw : undefined),
  };
}
function micro(name: Setting<number>["name"], value: number, text: string): Setting<number> {
  return whole(name, value, 0, 1_000_000_000_000, "micro-USD", text);
}
function secret(name: `LEADS_${string}_KEY`, text: string): Setting<string> {
  const shape = /^[\x21-\x7e]{0,512}$/;
  return pattern(name, "", shape, "printable ASCII without spaces, or empty", text);
}
function model(name: Setting<string>["name"], text: string): Setting<string> {
  return pattern(name, "", /^[^\s=,]{0,100}$/, "a model's name, or empty", text);
}

function list(
  name: Setting<readonly string[]>["name"],
  allowed: string,
  ok: (part: string) => boolean,
  text: string,
): Setting<readonly string[]> {
  return {
    name,
    type: "list",
    default: [],
    allowed,
    text,
    parse: (raw) => {
      const parts = raw
        .split(",")
        .map((p) => p.trim())
        .filter((p) => p !== "");
      return parts.every(ok) ? Object.freeze(parts) : undefined;
    },
  };
}

const table = {
  prefix: pattern(
    "LEADS_PREFIX",
    "leads",
    /^[a-z][a-z0-9]{0,11}$/,
    "a lower-case word of at most 12 letters and digits",
    "Prefix of every stream, subject, bucket, cache key and of Moleculer's namespace: two meshes can share servers.",
  ),
  natsUrl: urls(
    "LEADS_NATS_URL",
    "nats://127.0.0.1:4222",
    ["nats", "tls"],
    "NATS server (2.12 or newer) with JetStream; of a cluster some or all of its servers.",
  ),
  replicas: whole(
    "LEADS_REPLICAS",
    1,
    1,
    5,
    "servers",
    "NATS servers that keep each stream and bucket: 3 in a cluster of three, which then goes on without one of them.",
  ),
  databaseUrl: url(
    "LEADS_DATABASE_URL",
    "postgres://postgres@127.0.0.1:5432/leads",
    ["postgres", "postgresql"],
    "PostgreSQL: the record.",
  ),
  databasePool: whole(
    "LEADS_DATABASE_POOL",
    6,
    1,
    200,
    "connections",
    "Connections a process opens to a database at the most.",
  ),
  statementTimeoutMs: whole(
    "LEADS_STATEMENT_TIMEOUT_MS",
    5_000,
    100,
    600_000,
    "ms",
    "A statement that runs longer is cancelled.",
  ),
  redisUrl: url(
    "LEADS_REDIS_URL",
    "",
    ["redis", "rediss"],
    "Redis: caches and shared rate limits. Empty: each process caches for itself.",
  ),
  httpHost: pattern("LEADS_HTTP_HOST", "127.0.0.1", /^\S+$/, "an address or host name", "Where the gateway listens."),
  httpPort: whole("LEADS_HTTP_PORT", 3000, 0, 65_535, "", "Port of the gateway; 0 takes a free one."),
  trustedProxies: list(
    "LEADS_TRUSTED_PROXIES",
    "addresses or CIDR ranges, comma separated",
    (p) => {
      const [, address = "", bits = "0"] = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(p) ?? [];
      const family = isIP(address);
      return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128);
    },
    "Proxies whose X-Forwarded-For is believed.",
  ),
  rateLimit: whole(
    "LEADS_RATE_LIMIT",
    100,
    1,
    1_000_000,
    "requests a second a key",
    "Requests above this are answered 429, over all gateways together.",
  ),
  bodyLimitBytes: whole(
    "LEADS_BODY_LIMIT_BYTES",
    262_144,
    1_024,
    16_777_216,
    "bytes",
    "Largest body of a request that is not an upload.",
  ),
  rowLimitBytes: whole("LEADS_ROW_LIMIT_BYTES", 65_536, 1_024, 1_048_576, "bytes", "Largest row of an upload."),
  uploadWaitMs: whole(
    "LEADS_UPLOAD_WAIT_MS",
    30_000,
    0,
    600_000,
    "ms",
    "How long an upload waits for a full intake before it is answered 503 with the counts so far.",
  ),
  logLevel: choice(
    "LEADS_LOG_LEVEL",
    "info",
    ["fatal", "error", "warn", "info", "debug", "trace"],
    "Least important log lines that are written.",
  ),
  logStreamBytes: whole(
    "LEADS_LOG_STREAM_BYTES",
    1_073_741_824,
    0,
    1_099_511_627_776,
    "bytes",
    "Size of the stream of log lines, which GET /v1/logs reads; the oldest go first. 0: there is none.",
  ),
  logStreamHours: whole("LEADS_LOG_STREAM_HOURS", 24, 1, 8_760, "hours", "How long the stream of log lines keeps one."),
  zipkinUrl: url(
    "LEADS_ZIPKIN_URL",
    "",
    ["http", "https"],
    "Zipkin, or what takes its spans (POST /api/v2/spans). Empty: there are no traces.",
  ),
  traceShare: share(
    "LEADS_TRACE_SHARE",
    0.01,
    "Traces that are exported, by a hash of their ids: give all processes the same. A span that fails is exported in any case.",
  ),
  drainMs: whole(
    "LEADS_DRAIN_MS",
    25_000,
    100,
    600_000,
    "ms",
    "How long a process may finish what it has in hand after SIGTERM.",
  ),
  watchdogMs: whole(
    "LEADS_WATCHDOG_MS",
    10_000,
    200,
    600_000,
    "ms",
    "How often a stage checks that it still receives what waits for it. Three of these pass at the most before a silent consumer is mended.",
  ),
  probeMinMs: whole(
    "LEADS_PROBE_MIN_MS",
    1_000,
    10,
    600_000,
    "ms",
    "First wait between two looks at a dependency that is down; doubles up to LEADS_PROBE_MAX_MS.",
  ),
  eraseAgainMs: whole(
    "LEADS_ERASE_AGAIN_MS",
    60_000,
    200,
    3_600_000,
    "ms",
    "How long after it has looked everywhere an erasure looks once more, for what was in hand meanwhile.",
  ),
  probeMaxMs: whole(
    "LEADS_PROBE_MAX_MS",
    30_000,
    10,
    600_000,
    "ms",
    "Longest wait between two looks at a dependency that is down.",
  ),
  lanes: choice(
    "LEADS_LANES",
    "both",
    ["both", "live", "bulk"],
    "Whose mailboxes the stages of this process read. A process for each lane keeps the work of an import off the event loop that live leads wait for; on processors that all want, one for live leads alone gives way to the API and the servers (niceness 5), and one for bulk to all of them (15).",
  ),
  mailboxEnvelopes: whole(
    "LEADS_MAILBOX_ENVELOPES",
    0,
    0,
    100_000_000,
    "envelopes",
    "Envelopes a lane of any mailbox holds before publishers are pushed back; 0 takes each stage's own figure from the pipeline.",
  ),
  intakeBytes: whole(
    "LEADS_INTAKE_BYTES",
    4_294_967_296,
    65_536,
    1_099_511_627_776,
    "bytes",
    "Size of the intake, where imports wait; a full one answers 503.",
  ),
  deadBytes: whole(
    "LEADS_DEAD_BYTES",
    1_073_741_824,
    65_536,
    1_099_511_627_776,
    "bytes",
    "Size of the dead letters; when it is full the stages wait rather than drop one.",
  ),
  defaultRegion: pattern(
    "LEADS_DEFAULT_REGION",
    "US",
    /^[A-Z]{2}$/,
    "two capital letters (ISO 3166-1)",
    "Country of a phone number or address that names none.",
  ),
  fetch: choice(
    "LEADS_FETCH",
    "off",
    ["off", "generator", "web"],
    "Whether leads' web sites are fetched: not at all, only the generated ones (*.example hosts, from LEADS_GENERATOR_URL), or from the web.",
  ),
  generatorUrl: url(
    "LEADS_GENERATOR_URL",
    "",
    ["http"],
    "Local server that plays the web sites of *.example hosts when LEADS_FETCH=generator.",
  ),
  fetchContact: url(
    "LEADS_FETCH_CONTACT",
    "",
    ["http", "https", "mailto"],
    "Where owners of web sites find who fetches them; stands in the User-Agent. Needed when LEADS_FETCH=web.",
  ),
  fetchTimeoutMs: whole("LEADS_FETCH_TIMEOUT_MS", 10_000, 100, 120_000, "ms", "Time a web site has to answer in full."),
  scoringRules: pattern(
    "LEADS_SCORING_RULES",
    "config/scoring-rules.yml",
    /^[^\0]+$/,
    "a path, absolute or from the project's root",
    "The scoring rules (docs/scoring.md). A changed file is taken up without a restart.",
  ),
  auditThreshold: whole("LEADS_AUDIT_THRESHOLD", 60, 0, 100, "points", "Leads at or above this score get a mock-up."),
  emailThreshold: whole("LEADS_EMAIL_THRESHOLD", 60, 0, 100, "points", "Leads at or above this score are written to."),
  publicUrl: url(
    "LEADS_PUBLIC_URL",
    "http://127.0.0.1:3000",
    ["http", "https"],
    "Where those who are written to reach the gateway: the base of every link in an e-mail.",
  ),
  senderName: pattern(
    "LEADS_SENDER_NAME",
    "LeadFactory",
    /^[^\p{Cc}<>"]{1,64}$/u,
    "1 to 64 characters without control characters, <, > and double quotes",
    "The name that e-mails are signed with.",
  ),
  listingsDir: pattern(
    "LEADS_LISTINGS_DIR",
    "",
    /^.*$/,
    "a folder, or empty",
    "Folder whose NDJSON files may be read as listings; empty: none.",
  ),
  listingsOrigins: list(
    "LEADS_LISTINGS_ORIGINS",
    "origins (https://lists.example.com), comma separated",
    (p) => URL.canParse(p) && /^https?:$/.test(new URL(p).protocol) && new URL(p).origin === p,
    "Servers from which NDJSON listings may be fetched.",
  ),
  campaign: pattern(
    "LEADS_CAMPAIGN",
    "first-contact",
    /^[a-z0-9][a-z0-9-]{0,31}$/,
    "lower-case letters, digits and dashes",
    "The campaign an e-mail is claimed under: one e-mail a tenant, campaign and address.",
  ),
  budgetDayMicro: micro(
    "LEADS_BUDGET_DAY",
    50_000_000,
    "What a tenant may spend in a day (UTC), all providers together.",
  ),
  budgetMonthMicro: micro("LEADS_BUDGET_MONTH", 1_000_000_000, "What a tenant may spend in a calendar month (UTC)."),
  capLlmMicro: micro("LEADS_CAP_LLM", 20_000_000, "What a tenant may spend in a day on the language model."),
  capSemrushMicro: micro("LEADS_CAP_SEMRUSH", 5_000_000, "What a tenant may spend in a day on SEMrush."),
  capScreenshotMicro: micro("LEADS_CAP_SCREENSHOT", 2_000_000, "What a tenant may spend in a day on screenshots."),
  capSendgridMicro: micro("LEADS_CAP_SENDGRID", 1_000_000, "What a tenant may spend in a day on SendGrid."),
  providerTimeoutMs: whole(
    "LEADS_PROVIDER_TIMEOUT_MS",
    40_000,
    100,
    45_000,
    "ms",
    "Time a provider has to answer in full. PageSpeed takes 10 to 30 s.",
  ),
  pagespeedKey: secret("LEADS_PAGESPEED_KEY", "Key of Google's PageSpeed Insights API; empty: sites are not measured."),
  pagespeedUrl: url(
    "LEADS_PAGESPEED_URL",
    "https://pagespeedonline.googleapis.com",
    ["https", "http"],
    "Where the PageSpeed Insights API is.",
  ),
  pagespeedDaily: whole(
    "LEADS_PAGESPEED_DAILY",
    25_000,
    1,
    100_000_000,
    "calls a day",
    "Calls to PageSpeed in a day (UTC), all instances and tenants together.",
  ),
  pagespeedMicro: micro("LEADS_PAGESPEED_PRICE", 0, "What a call to PageSpeed costs."),
  yelpKey: secret("LEADS_YELP_KEY", "Key of Yelp's Fusion API; empty: there are no listings of Yelp."),
  yelpUrl: url("LEADS_YELP_URL", "https://api.yelp.com", ["https", "http"], "Where Yelp's Fusion API is."),
  yelpDaily: whole(
    "LEADS_YELP_DAILY",
    300,
    1,
    100_000_000,
    "calls a day",
    "Calls to Yelp in a day (UTC), all instances and tenants together, by the plan that was bought.",
  ),
  yelpMicro: micro("LEADS_YELP_PRICE", 0, "What a call to Yelp costs, by the plan that was bought."),
  placesKey: secret("LEADS_PLACES_KEY", "Key of Google's Places API (New); empty: there are no listings of Google."),
  placesUrl: url("LEADS_PLACES_URL", "https://places.googleapis.com", ["https", "http"], "Where the Places API is."),
  placesDaily: whole(
    "LEADS_PLACES_DAILY",
    1_000,
    1,
    100_000_000,
    "calls a day",
    "Calls to the Places API in a day (UTC), all instances and tenants together.",
  ),
  placesMicro: micro("LEADS_PLACES_PRICE", 35_000, "What a page of the Places API costs (Text Search Enterprise)."),
  placesRaw: choice(
    "LEADS_PLACES_RAW",
    "id",
    ["id", "answer"],
    "What is kept of a place as Google told it: its id, which Google's general terms allow; or the whole answer, by an agreement of yours.",
  ),
  rawDays: whole(
    "LEADS_RAW_DAYS",
    90,
    0,
    3_650,
    "days",
    "How long what a provider told of a listing is kept as it came; 0: not at all.",
  ),
  letterDays: whole(
    "LEADS_LETTER_DAYS",
    90,
    1,
    3_650,
    "days",
    "How long dead letters that were dealt with, and the jobs that did so, are still told of.",
  ),
  operationDays: whole(
    "LEADS_OPERATION_DAYS",
    365,
    1,
    3_650,
    "days",
    "How long the log of operations says who did what.",
  ),
  semrushKey: secret("LEADS_SEMRUSH_KEY", "Key of SEMrush's API; empty: it is not asked about domains."),
  semrushUrl: url("LEADS_SEMRUSH_URL", "https://api.semrush.com", ["https", "http"], "Where SEMrush's API is."),
  semrushDaily: whole(
    "LEADS_SEMRUSH_DAILY",
    10_000,
    1,
    100_000_000,
    "calls a day",
    "Calls to SEMrush in a day (UTC), all instances and tenants together; two a domain.",
  ),
  semrushUnitMicro: micro(
    "LEADS_SEMRUSH_UNIT_PRICE",
    50,
    "What an API unit of SEMrush costs; a domain takes 50 of them.",
  ),
  screenshotKey: secret("LEADS_SCREENSHOT_KEY", "Key of the screenshot API; empty: no pictures of sites are taken."),
  screenshotUrl: url(
    "LEADS_SCREENSHOT_URL",
    "https://api.screenshotone.com",
    ["https", "http"],
    "Where an API in ScreenshotOne's format is.",
  ),
  screenshotDaily: whole(
    "LEADS_SCREENSHOT_DAILY",
    1_000,
    1,
    100_000_000,
    "calls a day",
    "Pictures taken in a day (UTC), all instances and tenants together.",
  ),
  screenshotMicro: micro("LEADS_SCREENSHOT_PRICE", 0, "What a picture of a site costs, by the plan that was bought."),
  screenshotDays: whole("LEADS_SCREENSHOT_DAYS", 90, 1, 3_650, "days", "How long a picture of a site is kept."),
  screenshotBytes: whole(
    "LEADS_SCREENSHOT_BYTES",
    2_147_483_648,
    1_048_576,
    1_099_511_627_776,
    "bytes",
    "Size of the store of pictures; while it is full no more are taken.",
  ),
  llmKey: secret(
    "LEADS_LLM_KEY",
    "Key of an OpenAI-compatible API with a language model; empty, and no LEADS_ANTHROPIC_KEY: mock-ups are made by template.",
  ),
  llmUrl: url("LEADS_LLM_URL", "https://api.openai.com/v1", ["https", "http"], "Where that API is."),
  llmModel: model("LEADS_LLM_MODEL", "The model that is asked there. Needed with its key."),
  llmDaily: whole(
    "LEADS_LLM_DAILY",
    10_000,
    1,
    100_000_000,
    "calls a day",
    "Calls to that API in a day (UTC), all instances and tenants together.",
  ),
  anthropicKey: secret(
    "LEADS_ANTHROPIC_KEY",
    "Key of Anthropic's API, which is asked where the first one fails, is limited or costs too much; empty: it is not.",
  ),
  anthropicUrl: url("LEADS_ANTHROPIC_URL", "https://api.anthropic.com", ["https", "http"], "Where Anthropic's API is."),
  anthropicModel: model("LEADS_ANTHROPIC_MODEL", "The model that is asked there (4.5 or newer). Needed with its key."),
  anthropicDaily: whole(
    "LEADS_ANTHROPIC_DAILY",
    10_000,
    1,
    100_000_000,
    "calls a day",
    "Calls to Anthropic's API in a day (UTC), all instances and tenants together.",
  ),
  llmPrices: list(
    "LEADS_LLM_PRICES",
    "model=input/output or model=input/output/cached, in USD a million tokens, comma separated",
    (p) => /^[^\s=,]{1,100}=\d{1,4}(\.\d{1,6})?\/\d{1,4}(\.\d{1,6})?(\/\d{1,4}(\.\d{1,6})?)?$/.test(p),
    "The price table: what tokens of each model cost (`some-model=0.4/1.6/0.1`). A model that is used must stand in it.",
  ),
  llmMaxTokens: whole(
    "LEADS_LLM_MAX_TOKENS",
    2_500,
    500,
    8_000,
    "tokens",
    "Tokens of an answer at the most, those that a model thinks with included.",
  ),
  llmCeilingMicro: micro(
    "LEADS_LLM_CEILING",
    100_000,
    "What one call may cost at the most; a model that could cost more is not asked.",
  ),
  overBudget: choice(
    "LEADS_OVER_BUDGET",
    "wait",
    ["wait", "complete", "without"],
    "A lead whose stage may not spend waits for the next day or month, ends there as `over_budget`, or goes on without what cannot be paid; a tenant may choose otherwise.",
  ),
  smtpUrl: url(
    "LEADS_SMTP_URL",
    "",
    ["smtp", "smtps"],
    "SMTP server that e-mails are handed to, with user and password where it wants them. Empty: none; e-mails stay in the outbox.",
  ),
  sendgridKey: pattern(
    "LEADS_SENDGRID_KEY",
    "",
    /^[\x21-\x7e]*$/,
    "an API key, or empty",
    "SendGrid's API key: e-mails go there where there is no LEADS_SMTP_URL.",
  ),
  sendgridUrl: url(
    "LEADS_SENDGRID_URL",
    "https://api.sendgrid.com",
    ["https", "http"],
    "Where SendGrid's API is (https://api.eu.sendgrid.com for the EU).",
  ),
  sendgridMicro: micro(
    "LEADS_SENDGRID_PRICE",
    400,
    "What an e-mail by SendGrid costs, by the plan that was bought (Essentials: 19.95 USD for 50,000 a month, https://sendgrid.com/en-us/pricing). 0: it is not booked.",
  ),
  openTracking: choice(
    "LEADS_OPEN_TRACKING",
    "off",
    ["off", "on"],
    "Whether SendGrid is to tell which e-mails are opened, by a picture of one pixel, so that the figures count them. Personal data (docs/privacy.md). Leave it off with LEADS_SMTP_URL: there opens cannot be seen.",
  ),
  mailFrom: pattern(
    "LEADS_MAIL_FROM",
    "",
    /^([^\s@<>()[\]\\,;:"]{1,64}@([a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63})?$/i,
    "an e-mail address, or empty",
    "The sender's address; answers go there. Nothing is sent without it.",
  ),
  postalAddress: pattern(
    "LEADS_POSTAL_ADDRESS",
    "",
    /^([^\p{Cc}]{10,200})?$/u,
    "10 to 200 characters on one line, or empty",
    "The sender's valid postal address, which stands in every e-mail (CAN-SPAM Act, 15 U.S.C. 7704(a)(5)). Nothing is sent without it.",
  ),
  linkSecrets: list(
    "LEADS_LINK_SECRETS",
    "secrets of 32 characters or more, comma separated",
    (p) => p.length >= 32,
    "Sign the links in e-mails: the first one signs, all of them are accepted. To change it, put a new one first and keep the old one for LEADS_LINK_DAYS.",
  ),
  linkDays: whole("LEADS_LINK_DAYS", 400, 30, 3_650, "days", "How long a link in an e-mail is good for."),
  mailConnections: whole(
    "LEADS_MAIL_CONNECTIONS",
    5,
    1,
    200,
    "e-mails",
    "E-mails that a sender hands over at once; for SMTP each takes a connection.",
  ),
  mailDomainPerMinute: whole(
    "LEADS_MAIL_DOMAIN_PER_MINUTE",
    60,
    1,
    100_000,
    "e-mails a minute",
    "E-mails to one domain of recipients, evenly spread, over all tenants together.",
  ),
  mailTenantPerDay: whole(
    "LEADS_MAIL_TENANT_PER_DAY",
    110_000,
    0,
    10_000_000,
    "e-mails a day",
    "E-mails of a tenant that has no limit of its own, once it has warmed up.",
  ),
  quietHours: pattern(
    "LEADS_QUIET_HOURS",
    "20-8",
    /^(([01]?\d|2[0-3])-([01]?\d|2[0-3]))?$/,
    "two hours of the day with a dash, or empty",
    "When nobody is written to, by the recipient's own clock. Empty: never.",
  ),
  timeZone: pattern(
    "LEADS_TIME_ZONE",
    "America/Chicago",
    /^[A-Za-z]+(\/[A-Za-z0-9_+-]+){0,2}$/,
    "an IANA time zone",
    "The clock of recipients whose own zone is not known, where the tenant names none.",
  ),
  mailEventSecrets: list(
    "LEADS_MAIL_EVENT_SECRETS",
    "secrets of 32 characters or more, comma separated",
    (p) => p.length >= 32,
    "Sign events in the plain format at POST /v1/webhooks/email; any of them is accepted. Empty: none is.",
  ),
  metrics: choice("LEADS_METRICS", "on", ["on", "off"], "Whether a process counts what it does (docs/metrics.md)."),
  metricsHost: pattern(
    "LEADS_METRICS_HOST",
    "127.0.0.1",
    /^\S+$/,
    "an address or host name",
    "Where metrics are served. They need no key: let nobody but Prometheus reach them.",
  ),
  metricsPort: whole(
    "LEADS_METRICS_PORT",
    0,
    0,
    65_535,
    "",
    "Port of a process's own metrics; 0 takes a free one, which the service `metrics` lists at /targets.",
  ),
  metricsClusterPort: whole(
    "LEADS_METRICS_CLUSTER_PORT",
    3030,
    0,
    65_535,
    "",
    "Port of the service `metrics`: the cluster's metrics and the list of all processes; 0 takes a free one.",
  ),
  metricsEveryMs: whole(
    "LEADS_METRICS_EVERY_MS",
    5_000,
    100,
    60_000,
    "ms",
    "How often a process tells the service `metrics` of its counts.",
  ),
  drainLiveMs: whole(
    "LEADS_DRAIN_LIVE_MS",
    10_000,
    1_000,
    86_400_000,
    "ms",
    "In what time a stage should work off its live backlog: T_drain of the scaling law.",
  ),
  drainBulkMs: whole("LEADS_DRAIN_BULK_MS", 300_000, 1_000, 86_400_000, "ms", "The same for the bulk backlog."),
  instancesMin: whole("LEADS_INSTANCES_MIN", 1, 0, 1_000, "instances", "Instances of a stage at the least."),
  instancesMax: whole("LEADS_INSTANCES_MAX", 8, 1, 1_000, "instances", "Instances of a stage at the most."),
  instanceRate: whole(
    "LEADS_INSTANCE_RATE",
    50,
    1,
    1_000_000,
    "leads a second",
    "What one busy instance of a stage completes, until one ever was busy.",
  ),
  sendgridEventKey: pattern(
    "LEADS_SENDGRID_EVENT_KEY",
    "",
    /^[A-Za-z0-9+/=]*$/,
    "a public key as SendGrid shows it (base64), or empty",
    "Verifies SendGrid's signed events. Empty: none is accepted.",
  ),
} as const satisfies Record<string, Setting<any>>;

type Table = typeof table;
type Value<S> = S extends Setting<infer T> ? T : never;
export type Settings = { readonly [K in keyof Table]: Value<Table[K]> };

/** Reads and validates the settings. Throws one {@link SettingsError} that lists every fault. */
export function loadSettings(env: Record<string, string | undefined> = process.env): Settings {
  const faults: string[] = [];
  const known = new Set<string>(Object.values(table).map((s) => s.name));
  for (const name of Object.keys(env)) {
    if (name.startsWith("LEADS_") && !known.has(name))
      faults.push(`${name} is not a setting (see the table in README.md)`);
  }
  const settings: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries<Setting<unknown>>(table)) {
    const raw = env[setting.name];
    const value = raw === undefined ? setting.default : setting.parse(raw);
    if (value === undefined)
      faults.push(
        `${setting.name}=${isSecret(setting, raw!) ? "(hidden)" : JSON.stringify(raw)}: allowed is ${setting.allowed}`,
      );
    settings[key] = value;
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return Object.freeze(settings) as Settings;
}

/** Settings whose value is shown to nobody, by their names. */
const secretName = /_(KEY|SECRETS)$/;

/**
 * Is this value not to be shown, not even in the error that refuses it? The password of an address stands before an @,
 * and an address that is refused may lack its slashes.
 */
function isSecret({ name, type }: Setting<unknown>, raw: string): boolean {
  return secretName.test(name) || /\/\/.*@/s.test(raw) || (type === "URL" && raw.includes("@"));
}

/** The `LEADS_` variables of the environment, to be passed on to a process of ours. */
export function ownVariables(env: Record<string, string | undefined> = process.env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith("LEADS_") && value !== undefined ? [[name, value]] : [],
    ),
  );
}

/** The folder that a command was typed in: npm changes into the project's before it runs one. */
export function typedIn(env: Record<string, string | undefined> = process.env): string {
  return env["INIT_CWD"] ?? process.cwd();
}

/** What no log may hold: keys, secrets, and the passwords in addresses. */
export function secretsOf(settings: Settings): string[] {
  const secrets = Object.entries<Setting<unknown>>(table).flatMap(([key, { name }]) => {
    const value = settings[key as keyof Settings];
    if (secretName.test(name)) return [value].flat().map(String);
    const password = typeof value === "string" && URL.canParse(value) ? new URL(value).password : "";
    return [password, decodeURIComponent(password)];
  });
  // What is shorter is no secret, and would be found in every other word.
  return [...new Set(secrets)].filter((secret) => secret.length >= 6);
}

/** The table, for the documentation. */
export function settingsTable(): {
  name: string;
  type: string;
  unit: string;
  default: string;
  allowed: string;
  text: string;
}[] {
  return Object.values<Setting<unknown>>(table).map(({ name, type, unit = "", default: value, allowed, text }) => ({
    name,
    type,
    unit,
    default: String(value),
    allowed,
    text,
  }));
}

/** The environment that gives these settings to a process (what differs from the defaults). */
export function environmentOf(settings: Settings): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [key, setting] of Object.entries<Setting<unknown>>(table)) {
    const value = settings[key as keyof Settings];
    if (String(value) !== String(setting.default)) env[setting.name] = String(value);
  }
  return env;
}

/**
 * Moleculer's runner lets bare variables (`NAMESPACE`, `TRANSPORTER_TYPE`, `MOL_…`) override broker options. Ours are all
 * `LEADS_…`: takes those that would meddle out of the environment. Call it before the runner merges; returns what went.
 */
export function shieldEnvironment(options: object): string[] {
  const bare = new Set<string>();
  const walk = (level: object, path: string) => {
    for (const [key, value] of Object.entries(level)) {
      const name = `${path}${key}`.toUpperCase();
      bare.add(name);
      const proto = value !== null && typeof value === "object" ? Object.getPrototypeOf(value) : undefined;
      if (proto === Object.prototype) walk(value, `${path}${key}_`);
    }
  };
  walk(options, "");
  const meddling = Object.keys(process.env).filter((name) => bare.has(name) || name.startsWith("MOL_"));
  for (const name of meddling) delete process.env[name];
  return meddling;
}
