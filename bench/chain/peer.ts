import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run as runCommand } from "../../bin/stack/tools.ts";
import type { Lead } from "../../services/leads/lead.ts";

/** One run of a chain on a peer. */
export interface PeerPlan {
  /** A word of letters and digits: what the peer makes bears it. */
  prefix: string;
  natsUrl: string;
  redisUrl: string;
  stages: readonly string[];
  count: number;
  /** Leads a job. */
  perJob: number;
  /** Jobs of a stage in work at once. */
  concurrency: number;
  /** A lead of 1 kB. */
  lead(n: number): Lead;
  /** Writes leads after the stage at this place, where it has a checkpoint. */
  checkpoint(stage: number, leads: Lead[]): Promise<void>;
}

/**
 * What a file of `bench/peers/` exports: fills the first queue, then starts all stages; resolves with the milliseconds from
 * their start to the last lead's end, everything taken away again.
 */
export type Peer = (plan: PeerPlan) => Promise<number>;

const folder = join(import.meta.dirname, "..", "peers");
export const peerNames = ["bullmq", "channels"] as const;
export type PeerName = (typeof peerNames)[number];

/** The peers' code; their packages are installed beside it, where they are not. */
export async function loadPeer(name: PeerName): Promise<Peer> {
  if (!existsSync(join(folder, "node_modules", ".package-lock.json")))
    await runCommand("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {}, { cwd: folder });
  return ((await import(pathToFileURL(join(folder, `${name}.ts`)).href)) as { run: Peer }).run;
}

/**
 * Gathers what concurrent jobs write into one statement of up to `most` leads. Peers hand over a job at a time and offer
 * nothing of the kind: it is what their users could write.
 */
export function gathering(write: (leads: Lead[]) => Promise<void>, most: number): (leads: Lead[]) => Promise<void> {
  let waiting: { leads: Lead[]; resolve(): void; reject(error: unknown): void }[] = [];
  let size = 0;
  let isScheduled = false;
  const flush = () => {
    const all = waiting;
    waiting = [];
    size = 0;
    if (all.length === 0) return;
    write(all.flatMap(({ leads }) => leads)).then(
      () => all.forEach(({ resolve }) => void resolve()),
      (error) => all.forEach(({ reject }) => void reject(error)),
    );
  };
  return (leads) =>
    new Promise((resolve, reject) => {
      waiting.push({ leads, resolve, reject });
      size += leads.length;
      if (size >= most) flush();
      else if (!isScheduled) {
        isScheduled = true;
        // A few milliseconds, as the mesh's own batches linger.
        setTimeout(() => {
          isScheduled = false;
          flush();
        }, 5);
      }
    });
}
