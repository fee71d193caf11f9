import { createHash } from "node:crypto";
import { type KV, type NatsConnection, NatsError, StringCodec } from "nats";
import type { Names } from "../config/names.ts";
import { LeadsError, outage } from "./errors.ts";
import { errCodes } from "./jetstream.ts";
import { scan } from "./scan.ts";

/** What an idempotency key stands for, kept for 24 hours in a JetStream bucket: it depends on NATS alone. */
export interface Claim {
  /** SHA-256 of the body that came with the key. */
  body: string;
  leadId: string;
  /** The lead's revision, ms since 1970: whoever repeats the request tells the very same lead. */
  revision: number;
  /** The request that came first: its id is part of what makes two envelopes one to JetStream. */
  requestId: string;
  /** JetStream has the lead. */
  done: boolean;
}

const codec = StringCodec();

/** The body's fingerprint. Bytes, not meaning: a client that repeats a request repeats its bytes. */
export const fingerprint = (body: Uint8Array): string => createHash("sha256").update(body).digest("hex");

/** How long NATS may take to answer before the caller is told that it is down, ms. */
const patienceMs = 2_000;
/** JetStream's "maximum bytes exceeded", which the bucket's limit gives. */
const storeFull = 10_077;

export class IdempotencyKeys {
  readonly #names: Names;
  readonly #nats: () => Promise<NatsConnection>;
  #bucket: Promise<KV> | undefined;

  constructor(nats: () => Promise<NatsConnection>, names: Names) {
    this.#nats = nats;
    this.#names = names;
  }

  /**
   * Claims an idempotency key for a lead, or finds the claim that came first. Of any number of requests on any number
   * of gateways one wins; the others get its claim, and where it is not done they tell the same lead with the same
   * revision again: a gateway that died between claim and lead loses nothing. Throws `CONFLICT` for another body,
   * `OUTAGE`, `MAILBOX_FULL` when a day's keys fill the bucket.
   */
  async claim(tenant: string, key: string, mine: Claim): Promise<Claim> {
    const kv = await this.#open();
    const name = nameOf(tenant, key);
    let previousSeq = 0;
    // The loop is for a claim that runs out between the two statements, or that a follower does not have yet.
    for (let tries = 0; tries < 5; tries++) {
      try {
        await kv.put(name, codec.encode(JSON.stringify(mine)), { previousSeq });
        return mine;
      } catch (error) {
        if ((error as NatsError).api_error?.err_code !== errCodes.wrongLastSequence) throw down(error);
      }
      const entry = await kv.get(name).catch((error) => Promise.reject(down(error)));
      // What an erasure took out leaves a marker in its place.
      previousSeq = entry?.revision ?? 0;
      if (entry?.operation !== "PUT") continue;
      const first = JSON.parse(codec.decode(entry.value)) as Claim;
      if (first.body !== mine.body)
        throw new LeadsError("CONFLICT", "the idempotency key was used with another body in the last 24 hours");
      return first;
    }
    throw outage("nats", new Error("the idempotency key can neither be claimed nor read"));
  }

  /** Notes that the claim's lead is stored. Failing is harmless: a repeat tells the same lead once more. */
  async settle(tenant: string, key: string, mine: Claim): Promise<void> {
    const kv = await this.#open();
    await kv.put(nameOf(tenant, key), codec.encode(JSON.stringify({ ...mine, done: true })));
  }

  /** Opened once: opening asks the server for its account's limits. */
  #open(): Promise<KV> {
    this.#bucket ??= this.#nats()
      .then((nc) =>
        nc
          .jetstream({ timeout: patienceMs })
          .views.kv(this.#names.bucket.idempotency, { bindOnly: true, allow_direct: true }),
      )
      .catch((error) => {
        this.#bucket = undefined;
        throw down(error);
      });
    return this.#bucket;
  }
}

const nameOf = (tenant: string, key: string) => `${tenant}.${createHash("sha256").update(key).digest("hex")}`;

function down(error: unknown): LeadsError {
  if (error instanceof NatsError && error.api_error?.err_code === storeFull)
    return new LeadsError("MAILBOX_FULL", "the store of idempotency keys is full", { retryAfterMs: 60_000 });
  return outage("nats", error);
}

/**
 * Takes the claims for leads of a tenant out of the bucket: they hold a lead's id, and a fingerprint of what was sent.
 * Returns how many there were.
 */
export async function forgetLeads(
  nc: NatsConnection,
  names: Names,
  { tenant, leadIds }: { tenant: string; leadIds: readonly string[] },
): Promise<number> {
  const bucket = names.bucket.idempotency;
  const kv = await nc
    .jetstream()
    .views.kv(bucket, { bindOnly: true })
    .catch((error) => Promise.reject(down(error)));
  const prefix = `$KV.${bucket}.`;
  let found = 0;
  for await (const batch of scan(nc, `KV_${bucket}`, { subject: `${prefix}${tenant}.*` })) {
    for (const { subject, data } of batch) {
      if (!leadIds.some((id) => Buffer.from(data).includes(id))) continue;
      await kv.purge(subject.slice(prefix.length));
      found++;
    }
  }
  return found;
}
