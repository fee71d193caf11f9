import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Lead } from "../../services/leads/lead.ts";
import type { Peer } from "../chain/peer.ts";

interface Data {
  leads: Lead[];
}

/** Jobs that one `addBulk` takes while the first queue is filled. */
const fillJobs = 1_000;

/** The chain on BullMQ: a queue and a worker a stage, the settings of bench/README.md. */
export const run: Peer = async ({ prefix, redisUrl, stages, count, perJob, concurrency, lead, checkpoint }) => {
  const open: { close(): Promise<unknown> }[] = [];
  const clients: Redis[] = [];
  const client = (options: object = {}) => {
    const made = new Redis(redisUrl, { maxRetriesPerRequest: null, ...options });
    clients.push(made);
    return made;
  };
  const admin = client();
  // https://docs.bullmq.io/guide/going-to-production: AOF each second, and no eviction.
  await admin.config("SET", "appendonly", "yes");
  await admin.config("SET", "appendfsync", "everysec");
  await admin.config("SET", "maxmemory-policy", "noeviction");
  await admin.config("SET", "maxmemory", "0");
  await admin.flushall();

  const shared = client({ enableAutoPipelining: true });
  const options = { prefix, streams: { events: { maxLen: 100 } }, defaultJobOptions: { removeOnComplete: true } };
  const queues = stages.map((name) => new Queue<Data>(name, { ...options, connection: shared }));
  open.push(...queues);

  let serial = 0;
  const jobOf = (leads: Lead[]) => ({ name: "lead", data: { leads } });
  for (let n = 0; n < count; ) {
    const jobs = [];
    while (n < count && jobs.length < fillJobs) {
      const leads = Array.from({ length: Math.min(perJob, count - n) }, () => lead(serial++));
      n += leads.length;
      jobs.push(jobOf(leads));
    }
    await queues[0]!.addBulk(jobs);
  }

  const done = Promise.withResolvers<void>();
  let ended = 0;
  const since = performance.now();
  for (const [n, name] of stages.entries()) {
    const next = queues[n + 1];
    const worker = new Worker<Data>(
      name,
      async ({ data: { leads } }) => {
        for (const one of leads)
          one.timeline.push({ stage: name, at: Date.now(), waitedMs: 0, workedMs: 0, outcome: "forward" });
        await checkpoint(n, leads);
        if (next) {
          await next.add("lead", { leads });
          return;
        }
        ended += leads.length;
        if (ended >= count) done.resolve();
      },
      {
        prefix,
        connection: client({ enableAutoPipelining: true }),
        concurrency,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 1_000 },
        lockDuration: 120_000,
        stalledInterval: 120_000,
      },
    );
    worker.on("error", (error) => done.reject(error));
    worker.on("failed", (_job, error) => done.reject(error));
    open.push(worker);
  }
  await done.promise;
  const tookMs = performance.now() - since;
  await Promise.all(open.map((one) => one.close()));
  await admin.flushall();
  // BullMQ closes the connections that it made, not those that it was given.
  for (const one of clients) one.disconnect();
  return tookMs;
};
