/**
 * How often leads are counted, and how many at once. Each is noted when it arrives and when it ends, half a second later in an
 * import: counted between the two, it is counted twice. So while many are noted there is a longer rest, and then all of it is
 * taken in one statement.
 */
export interface PaceOptions {
  /** How long to rest when all is counted, ms: how old figures are where little happens. */
  everyMs: number;
  /** The same while an import runs. */
  busyMs: number;
  /** Notes that are counted in one transaction, at the most. */
  batch: number;
}

/** What one look came to. */
export interface Look {
  /** Notes that were counted. */
  taken: number;
  /** Of how many, at the most. */
  batch: number;
  /** How long the rest before it was. */
  restedMs: number;
  spentMs: number;
  failed: boolean;
}

/** So many notes a second are an import. */
const busyPerSecond = 1_000;
/** Behind, it rests three times as long as it counted: a quarter of one core is what it may cost the stages. */
const restShare = 3;
/** A look that took longer takes half as much the next time: its statement must not come near its timeout, on any machine. */
const longMs = 1_000;
/** As few are counted in far less than a second anywhere. */
const leastBatch = 500;

/** How long to rest after a look, ms, and how many notes to take then. */
export function paceAfter(look: Look, options: PaceOptions): { restMs: number; batch: number } {
  const { taken, batch, restedMs, spentMs, failed } = look;
  const isBehind = taken >= batch;
  const isBusy = taken >= busyPerSecond * Math.max(1, restedMs / 1_000);
  const restMs = isBehind ? restShare * spentMs : isBusy ? options.busyMs : options.everyMs;
  if (failed || spentMs > longMs)
    return { restMs, batch: Math.max(Math.min(batch, leastBatch), Math.floor(batch / 2)) };
  return { restMs, batch: isBehind && spentMs < longMs / 4 ? Math.min(options.batch, batch * 2) : batch };
}
