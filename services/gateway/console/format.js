/** Numbers and times as an operator reads them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const fullFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

const hourMs = 3_600_000;

/** 1,234; 128.4K where the figure is long. @param {number | null | undefined} n */
export const num = (n) => (n == null ? "–" : Math.abs(n) >= 100_000 ? short.format(n) : whole.format(n));

/** Leads a second. @param {number} perSecond */
export function rate(perSecond) {
  if (perSecond === 0) return "0";
  if (perSecond < 0.1) return "< 0.1";
  return perSecond < 10 ? perSecond.toFixed(1) : num(perSecond);
}

/** How long: 340 ms, 12 s, 4 min, 2 h 10 min, 3 d. @param {number | null | undefined} ms */
export function span(ms) {
  if (ms == null) return "–";
  if (ms === 0) return "0 s";
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 90_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 36 * hourMs) {
    const minutes = Math.round((ms % hourMs) / 60_000);
    return `${Math.floor(ms / hourMs)} h${minutes > 0 ? ` ${minutes} min` : ""}`;
  }
  return `${Math.round(ms / (24 * hourMs))} d`;
}

/** How long ago. @param {number | null | undefined} at @param {number} [now] */
export const ago = (at, now = Date.now()) =>
  at == null ? "–" : at > now - 1_000 ? "just now" : `${span(now - at)} ago`;

/** 14:05:31, with the day where it is not today's. @param {number} at */
export function clock(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clockFormat.format(date) : `${dayFormat.format(date)} ${clockFormat.format(date)}`;
}

/** @param {number} at */
export const full = (at) => fullFormat.format(new Date(at));

/** A millionth of a USD each. @param {number | null | undefined} micro */
export function money(micro) {
  if (micro == null) return "–";
  const usd = micro / 1e6;
  const digits = usd !== 0 && Math.abs(usd) < 0.1 ? 4 : 2;
  return new Intl.NumberFormat("en-US", {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(usd);
}

/** 42 %, 3.1 %. @param {number} part @param {number} of */
export const share = (part, of) => (of > 0 ? `${((part / of) * 100).toFixed(part / of < 0.1 ? 1 : 0)} %` : "–");

/** @param {number | null | undefined} n */
export function bytes(n) {
  if (n == null) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let value = n;
  for (; value >= 1_000 && at < units.length - 1; at++) value /= 1_000;
  return `${value < 10 && at > 0 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

/** in_progress -> in progress. @param {string | undefined} name */
export const words = (name) => (name ?? "").replaceAll("_", " ");

/** One thing, two things. @param {number} n @param {string} thing */
export const count = (n, thing) => `${num(n)} ${thing}${n === 1 ? "" : "s"}`;
