/** Which error of several APIs is told, when none of them answered. */

interface Failed {
  type?: string;
  data?: { until?: number | null };
}

/** When it could be asked again, ms since 1970; null where waiting mends nothing. `now`: the same. */
function momentOf({ type, data }: Failed, now: number): number | null {
  if (type === "PROVIDER_OFF" || type === "PROVIDER_REFUSED") return null;
  if (type === "OVER_BUDGET") return data?.until ?? null;
  // What is down may be back at any time.
  return type === "PROVIDER_LATER" ? (data?.until ?? now) : now;
}

/**
 * The error of the API that can be asked again soonest; where none can, the first one's that is not simply off. What is
 * wrong with one API (a key, a limit, the money for a dear model) is a reason to ask the other, never to give up both.
 */
export function worthTelling<E extends Failed>(errors: readonly E[], now: number): E {
  const soonest = errors
    .map((error) => ({ error, at: momentOf(error, now) }))
    .filter((one): one is { error: E; at: number } => one.at !== null)
    .toSorted((a, b) => a.at - b.at)[0];
  return soonest?.error ?? errors.find(({ type }) => type !== "PROVIDER_OFF") ?? errors[0]!;
}
