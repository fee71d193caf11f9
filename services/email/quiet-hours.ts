/** Hours of the day in which nobody is written to; `from` 20 `to` 8 goes over midnight. */
export interface QuietHours {
  from: number;
  to: number;
}

/** Reads `20-8`; undefined for an empty word or hours that are none. */
export function quietHoursOf(text: string): QuietHours | undefined {
  const [from, to] = text.split("-").map(Number);
  return from === undefined || to === undefined || from === to ? undefined : { from, to };
}

const hourMs = 3_600_000;
const clocks = new Map<string, Intl.DateTimeFormat>();

/** Hour, minute and second of a moment (ms since 1970) by a zone's clock. */
function clockOf(at: number, zone: string): { hour: number; intoHourMs: number } {
  let clock = clocks.get(zone);
  if (!clock) {
    const options = { hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" } as const;
    clock = new Intl.DateTimeFormat("en-US", { ...options, timeZone: zone });
    clocks.set(zone, clock);
  }
  const part = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return { hour: part["hour"]!, intoHourMs: part["minute"]! * 60_000 + part["second"]! * 1_000 + (at % 1_000) };
}

/**
 * The first moment from `at` on (ms since 1970) that is not quiet by the zone's clock: `at` itself by day, else the
 * morning. Goes by whole hours of the clock, so that a night of 11 or 13 hours when clocks change is one too.
 */
export function afterQuiet(at: number, zone: string, quiet: QuietHours | undefined): number {
  if (!quiet) return at;
  const isQuiet = (hour: number) =>
    quiet.from < quiet.to ? hour >= quiet.from && hour < quiet.to : hour >= quiet.from || hour < quiet.to;
  let moment = at;
  for (let hours = 0; hours < 26; hours++) {
    const { hour, intoHourMs } = clockOf(moment, zone);
    if (!isQuiet(hour)) return moment;
    moment += hourMs - intoHourMs;
  }
  return moment;
}
