import assert from "node:assert/strict";
import { normalise } from "../../../services/intake/normalise.ts";
import type { Fault, IntakeContext } from "../../../services/intake/raw.ts";
import type { Lead } from "../../../services/leads/lead.ts";

export const context: IntakeContext = {
  tenant: "acme",
  source: "test",
  trust: "imported",
  defaultRegion: "US",
  now: Date.UTC(2026, 5, 1),
  newId: () => "01890000-0000-7000-8000-000000000000",
};

/** The lead of what must be accepted. */
export function accepted(raw: unknown, over: Partial<IntakeContext> = {}): Lead {
  const read = normalise(raw, { ...context, ...over });
  assert.ok("lead" in read, JSON.stringify(read));
  return read.lead;
}

/** The faults of what must be refused. */
export function refused(raw: unknown, over: Partial<IntakeContext> = {}): Fault[] {
  const read = normalise(raw, { ...context, ...over });
  assert.ok("faults" in read, JSON.stringify(read));
  return read.faults;
}

export const fieldsOf = (faults: readonly Fault[] | undefined) => (faults ?? []).map(({ field }) => field);

/** A generator of numbers from 0 up to 1 that a seed replays (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
