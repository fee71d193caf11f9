import { pagespeedKey } from "../support/providers/pagespeed.ts";

/** What every mesh under test is set to, whatever its servers and its clock: small stores, short waits, all that can be called is. */
export const fixedSettings: Record<string, string> = {
  LEADS_DATABASE_POOL: "4",
  LEADS_RATE_LIMIT: "100000",
  LEADS_INTAKE_BYTES: "33554432",
  LEADS_DEAD_BYTES: "8388608",
  LEADS_SCREENSHOT_BYTES: "1048576",
  LEADS_WATCHDOG_MS: "2000",
  LEADS_DRAIN_MS: "15000",
  LEADS_UPLOAD_WAIT_MS: "60000",
  LEADS_PROBE_MIN_MS: "50",
  LEADS_PROBE_MAX_MS: "500",
  LEADS_FETCH: "generator",
  LEADS_FETCH_TIMEOUT_MS: "2000",
  LEADS_PAGESPEED_KEY: pagespeedKey,
  LEADS_PAGESPEED_PRICE: "10",
  LEADS_PAGESPEED_DAILY: "10000000",
  LEADS_PROVIDER_TIMEOUT_MS: "10000",
  LEADS_EMAIL_THRESHOLD: "40",
  LEADS_LOG_LEVEL: "info",
};
