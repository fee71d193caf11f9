import type { Job, Planned } from "./jobs.sql.ts";
import { letterId } from "./letter-id.ts";
import type { LetterFilter, LetterRow } from "./letters.sql.ts";
import { parseLetter } from "./plan.ts";

/** What is told of letters and jobs: what is not known is absent. */

/** A letter in a list. A message that is nobody's has no tenant. */
export function shownLetter({ seq, diedAt, claim: _claim, ...rest }: LetterRow): object {
  const known = Object.entries(rest).filter(([name, value]) => value !== null && !(name === "tenant" && value === ""));
  return { id: letterId({ seq, diedAt }), diedAt, ...Object.fromEntries(known) };
}

export function targetOf({ filter, tenant }: Planned): string {
  if (filter.ids) return filter.ids.length === 1 ? letterId(filter.ids[0]!) : `${filter.ids.length} letters`;
  return tenant === "*" ? "letters of all tenants" : "letters";
}

/** Ids are many: the first of them are told. */
export function shownFilter({ ids, ...rest }: LetterFilter): object {
  return ids ? { ids: ids.slice(0, 100).map(letterId) } : rest;
}

export function shownJob({ filter, patch, ...job }: Job): object {
  const known = Object.entries(job).filter(([, value]) => value !== null);
  return {
    ...Object.fromEntries(known),
    filter: shownFilter(filter),
    ...(patch ? { patched: Object.keys(patch) } : {}),
  };
}

/** What a letter itself says, with its lead whole. */
export function contentOf(data: Uint8Array): object {
  const { lead, error, firstAt, lastAt, requestId, traceparent, importId, raw } = parseLetter(data) as any;
  const traceId = typeof traceparent === "string" ? traceparent.split("-")[1] : undefined;
  return { lead: lead ?? null, error, firstAt, lastAt, requestId, traceId, importId, raw };
}
