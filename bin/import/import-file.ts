import { createHash, hash, randomBytes } from "node:crypto";
import { closeSync, createReadStream, rmSync, statSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Acceptor, acceptor, type Origin } from "../../mixins/accept.ts";
import { LeadsError } from "../../mixins/errors.ts";
import type { Resources } from "../../mixins/resources.ts";
import { parseMap } from "../../services/intake/columns.ts";
import { importIdOf, leadIdOfRow } from "../../services/intake/ids.ts";
import { limits } from "../../services/intake/limits.ts";
import { erasedFault, marksOf } from "../../services/intake/marks.ts";
import { normalise } from "../../services/intake/normalise.ts";
import type { Fault } from "../../services/intake/raw.ts";
import { Revisions } from "../../services/intake/revisions.ts";
import { readRows } from "../../services/intake/rows.ts";
import type { Lead } from "../../services/leads/lead.ts";
import { readCheckpoint, removeCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import type { ImportOptions, ImportSummary, Progress } from "./options.ts";
import { checkRefusedFile, openRefusedFile } from "./refused-file.ts";
import { countRefused, noCounts } from "./summary.ts";

export type { ImportOptions };

/** Rows between two checkpoints: what a kill lets be told a second time (with the same ids). */
const sliceRows = 2_000;
const progressEveryMs = 250;
/** Live leads under way at once. */
const liveWindow = 64;

/**
 * Imports a file: reads, normalises and accepts its rows in slices, and notes after each how far it came. Killed at any
 * moment and run again it goes on there; ids are derived (from the source's id, or from the file's content and the
 * row's line), so that a row told twice is one lead. A bad row is written to the refused file and ends nothing; a full
 * or absent NATS is waited for. Throws `RowsError` for a mapping that does not fit, and what stopped it otherwise.
 */
export async function importFile(
  options: ImportOptions,
  resources: Resources,
  onProgress: (progress: Progress) => void = () => {},
  signal?: AbortSignal,
): Promise<ImportSummary> {
  const run = new Import(options, resources, await hashOf(options.file), onProgress, signal);
  try {
    return await run.run();
  } finally {
    run.close();
  }
}

async function hashOf(file: string): Promise<string> {
  const sha = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) sha.update(chunk as Buffer);
  return sha.digest("hex");
}

interface Slice {
  leads: Lead[];
  refused: string[];
  /** Counts and line once this slice is done. */
  rows: number;
  faults: Fault[][];
  line: number;
}

class Import {
  readonly #options: ImportOptions;
  readonly #edge: Acceptor;
  readonly #settings: Resources["settings"];
  readonly #resources: Resources;
  readonly #onProgress: (progress: Progress) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #importId: string;
  readonly #source: string;
  readonly #optionsHash: string;
  readonly #checkpointFile: string;
  readonly #refusedFile: string;
  readonly #origin: Origin;
  readonly #totalBytes: number;
  readonly #startedAt = Date.now();
  #counts = noCounts();
  #refusedFd: number | undefined;
  #refusedBytes = 0;
  #resumedRows = 0;
  #bytes = 0;
  #bytesAtStart = 0;
  #waiting: string | undefined;
  #toldAt = 0;

  constructor(
    options: ImportOptions,
    resources: Resources,
    fileHash: string,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal | undefined,
  ) {
    this.#options = options;
    this.#settings = resources.settings;
    this.#resources = resources;
    this.#edge = acceptor(resources);
    this.#onProgress = onProgress;
    this.#signal = signal;
    this.#totalBytes = statSync(options.file).size;
    this.#source = options.source ?? basename(options.file).slice(0, limits.source);
    this.#importId = importIdOf(options.tenant, this.#source, fileHash);
    const { map, format, trust, region, areaCode, vertical, lane, refusedFile } = options;
    this.#optionsHash = hash(
      "sha1",
      JSON.stringify([map, format, trust, region, areaCode, vertical, lane, refusedFile]),
    );
    this.#checkpointFile = join(options.stateDir, `${this.#importId}.json`);
    this.#refusedFile = refusedFile ?? join(options.stateDir, `${this.#importId}.refused.ndjson`);
    this.#origin = {
      tenant: options.tenant,
      requestId: randomBytes(16).toString("hex"),
      traceparent: `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`,
      importId: this.#importId,
    };
  }

  async run(): Promise<ImportSummary> {
    const from = this.#resume();
    let storing: Promise<void> = Promise.resolve();
    try {
      // A slice is stored while the next one is read.
      for await (const slice of this.#slices(from)) {
        await storing;
        this.#signal?.throwIfAborted();
        storing = this.#finish(slice);
        // It is awaited above; what fails in between must not count as unhandled.
        storing.catch(() => {});
      }
    } finally {
      await storing;
    }
    removeCheckpoint(this.#checkpointFile);
    if (this.#refusedBytes === 0) rmSync(this.#refusedFile, { force: true });
    this.#tell(true);
    const seconds = (Date.now() - this.#startedAt) / 1_000;
    return {
      file: this.#options.file,
      importId: this.#importId,
      ...this.#counts,
      ...(this.#refusedBytes > 0 ? { refusedFile: this.#refusedFile } : {}),
      resumedRows: this.#resumedRows,
      seconds,
      rowsPerSecond: Math.round((this.#counts.rows - this.#resumedRows) / Math.max(seconds, 0.001)),
    };
  }

  close(): void {
    this.#edge.close();
    if (this.#refusedFd !== undefined) closeSync(this.#refusedFd);
  }

  /** The line up to which an earlier run has done the work; 0 for none. */
  #resume(): number {
    const { file, refusedFile, restart = false } = this.#options;
    const found = restart ? undefined : readCheckpoint(this.#checkpointFile, this.#optionsHash);
    if (refusedFile !== undefined) checkRefusedFile(refusedFile, file, restart || found !== undefined);
    // Killed before its first slice is done, a run is known by this to have begun the refused file.
    if (!found) this.#note(0);
    else {
      this.#counts = found.counts;
      this.#resumedRows = found.counts.rows;
    }
    const { fd, bytes } = openRefusedFile(this.#refusedFile, found?.refusedBytes ?? 0);
    this.#refusedFd = fd;
    this.#refusedBytes = bytes;
    return found?.line ?? 0;
  }

  /** Says that everything up to this line is done. */
  #note(line: number): void {
    writeCheckpoint(this.#checkpointFile, {
      options: this.#optionsHash,
      line,
      counts: this.#counts,
      refusedBytes: this.#refusedBytes,
    });
  }

  async *#slices(from: number): AsyncGenerator<Slice, void, void> {
    const o = this.#options;
    const rows = readRows(this.#chunks(), {
      format: o.format ?? (/\.(?:ndjson|jsonl|json)$/i.test(o.file) ? "ndjson" : "csv"),
      ...(o.map === undefined ? {} : { map: parseMap(o.map) }),
      rowLimitBytes: this.#settings.rowLimitBytes,
    });
    let slice = emptySlice();
    const erased = await this.#resources.erased();
    const revisions = new Revisions();
    for await (const row of rows) {
      if (row.line <= from) {
        this.#bytesAtStart = this.#bytes;
        continue;
      }
      slice.rows++;
      slice.line = row.line;
      let read =
        "faults" in row
          ? row
          : normalise(row.raw, {
              tenant: o.tenant,
              source: this.#source,
              trust: o.trust ?? "imported",
              defaultRegion: o.region ?? this.#settings.defaultRegion,
              ...(o.areaCode === undefined ? {} : { areaCode: o.areaCode }),
              ...(o.vertical === undefined ? {} : { vertical: o.vertical }),
              now: Date.now(),
              newId: () => leadIdOfRow(this.#importId, row.line),
            });
      const isErased = "lead" in read && erased.hasAny(o.tenant, () => marksOf((read as { lead: Lead }).lead));
      if (isErased) read = { faults: [erasedFault] };
      if ("lead" in read) {
        read.lead.revision = revisions.next(read.lead.leadId, read.lead.revision);
        slice.leads.push(read.lead);
      } else {
        slice.faults.push(read.faults);
        // Of one who was erased nothing is written down.
        const said = isErased ? {} : "raw" in row ? { raw: row.raw } : { text: row.text };
        slice.refused.push(`${JSON.stringify({ line: row.line, faults: read.faults, ...said })}\n`);
      }
      this.#tell(false);
      if (slice.rows >= sliceRows) {
        yield slice;
        slice = emptySlice();
      }
    }
    if (slice.rows > 0) yield slice;
  }

  async *#chunks(): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of createReadStream(this.#options.file)) {
      this.#bytes += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  }

  /** Stores a slice, writes its refused rows, and only then says that its lines are done. */
  async #finish(slice: Slice): Promise<void> {
    const until = Date.now() + (this.#options.patienceMs ?? 600_000);
    for (let wait = 250; ; wait = Math.min(wait * 2, 5_000)) {
      try {
        await (this.#options.lane === "live" ? this.#live(slice.leads) : this.#bulk(slice.leads));
        break;
      } catch (error) {
        // Told again after an outage a lead has the same id and revision: what was stored already is caught.
        const patient = error instanceof LeadsError && error.retryable && Date.now() < until;
        if (!patient || this.#signal?.aborted) throw error;
        this.#waiting = error.message;
        this.#tell(true);
        await delay(wait);
      }
    }
    this.#waiting = undefined;
    for (const line of slice.refused) this.#refusedBytes += writeSync(this.#refusedFd!, line);
    this.#counts.rows += slice.rows;
    this.#counts.accepted += slice.leads.length;
    for (const faults of slice.faults) countRefused(this.#counts, faults);
    this.#note(slice.line);
    this.#tell(false);
  }

  async #bulk(leads: Lead[]): Promise<void> {
    const writer = this.#edge.bulk<Lead>(this.#origin);
    for (const lead of leads) await writer.write(lead);
    await writer.end();
  }

  async #live(leads: Lead[]): Promise<void> {
    for (let at = 0; at < leads.length; at += liveWindow)
      await Promise.all(leads.slice(at, at + liveWindow).map((lead) => this.#edge.one(lead, this.#origin)));
  }

  #tell(now: boolean): void {
    const at = Date.now();
    if (!now && at - this.#toldAt < progressEveryMs) return;
    this.#toldAt = at;
    const seconds = (at - this.#startedAt) / 1_000;
    const done = this.#bytes - this.#bytesAtStart;
    const left = this.#totalBytes - this.#bytes;
    this.#onProgress({
      ...this.#counts,
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      rate: Math.round((this.#counts.rows - this.#resumedRows) / Math.max(seconds, 0.001)),
      ...(done > 0 && seconds > 1 ? { etaMs: Math.round((left / done) * seconds * 1_000) } : {}),
      ...(this.#waiting === undefined ? {} : { waiting: this.#waiting }),
    });
  }
}

const emptySlice = (): Slice => ({ leads: [], refused: [], rows: 0, faults: [], line: 0 });
