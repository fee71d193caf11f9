import { createHash, createHmac, randomBytes } from "node:crypto";
import { type KV, type NatsConnection, StringCodec } from "nats";
import { type Names, tenantPattern } from "../config/names.ts";
import { LeadsError } from "./errors.ts";
import { jsApi } from "./jetstream.ts";
import { WatchedBucket } from "./watched-bucket.ts";

/**
 * API keys. Only a key's SHA-256 is kept, in a JetStream bucket that every gateway watches: a look-up is a look into
 * memory, a revoked key stops everywhere within a second, and nothing but NATS is needed. A plain hash is enough: a key
 * is 256 random bits, not a password that could be guessed from its hash.
 */

/** `platform` is for what is everybody's (stages, streams, all tenants); the others reach the key's own tenant only. */
export const scopes = ["ingest", "read", "operate", "platform"] as const;
export type Scope = (typeof scopes)[number];

export interface ApiKey {
  /** Names the key in lists and logs; tells nothing of its secret. */
  id: string;
  tenant: string;
  scopes: Scope[];
  label?: string;
  /** ms since 1970 */
  createdAt: number;
  revokedAt?: number;
}

export interface KeyRequest {
  tenant: string;
  scopes: readonly Scope[];
  label?: string;
}

/** What every secret starts with, so that one that leaked is recognised. */
export const keyPrefix = "lf_";
const keyShape = /^lf_[A-Za-z0-9_-]{43}$/;
const codec = StringCodec();

const hashOf = (secret: string) => createHash("sha256").update(secret).digest("hex");
const bucketOf = (nc: NatsConnection, names: Names): Promise<KV> =>
  nc.jetstream().views.kv(names.bucket.keys, { bindOnly: true, allow_direct: true });

/**
 * Makes a key and stores its hash. The secret is in the answer and nowhere else.
 * The bucket must exist (`ensureShared`). Throws `VALIDATION` for a tenant or scope that cannot be.
 */
export async function createKey(
  nc: NatsConnection,
  names: Names,
  { tenant, scopes: wanted, label }: KeyRequest,
): Promise<{ id: string; secret: string }> {
  const faults: { field: string; message: string }[] = [];
  if (!tenantPattern.test(tenant)) faults.push({ field: "tenant", message: `"${tenant}" is not ${tenantPattern}` });
  for (const scope of wanted)
    if (!scopes.includes(scope))
      faults.push({ field: "scopes", message: `"${scope}" is not one of ${scopes.join(", ")}` });
  if (wanted.length === 0) faults.push({ field: "scopes", message: `give at least one of ${scopes.join(", ")}` });
  if (label !== undefined && (label.length > 100 || /\p{Cc}/u.test(label)))
    faults.push({ field: "label", message: "is longer than 100 characters or has control characters" });
  if (faults.length > 0)
    throw new LeadsError("VALIDATION", faults.map((f) => `${f.field}: ${f.message}`).join("; "), { faults });

  const secret = keyPrefix + randomBytes(32).toString("base64url");
  const key: ApiKey = {
    id: randomBytes(6).toString("hex"),
    tenant,
    scopes: [...new Set(wanted)],
    ...(label === undefined ? {} : { label }),
    createdAt: Date.now(),
  };
  const kv = await bucketOf(nc, names);
  await kv.create(hashOf(secret), codec.encode(JSON.stringify(key)));
  return { id: key.id, secret };
}

/** All keys, the revoked ones too, oldest first. */
export async function listKeys(nc: NatsConnection, names: Names): Promise<ApiKey[]> {
  return (await entries(nc, names)).map(({ key }) => key).sort((a, b) => a.createdAt - b.createdAt);
}

/** Revokes a key for good. Revoking it again changes nothing. Throws `NOT_FOUND`. */
export async function revokeKey(nc: NatsConnection, names: Names, id: string): Promise<ApiKey> {
  const found = (await entries(nc, names)).find(({ key }) => key.id === id);
  if (!found) throw new LeadsError("NOT_FOUND", `there is no key ${id}`);
  if (found.key.revokedAt !== undefined) return found.key;
  const revoked: ApiKey = { ...found.key, revokedAt: Date.now() };
  // Against the revision that was read: of two that revoke at once the second fails rather than move the moment.
  await (await bucketOf(nc, names)).update(found.hash, codec.encode(JSON.stringify(revoked)), found.revision);
  return revoked;
}

async function entries(nc: NatsConnection, names: Names): Promise<{ hash: string; revision: number; key: ApiKey }[]> {
  const kv = await bucketOf(nc, names);
  const prefix = `$KV.${names.bucket.keys}.`;
  // Not the client's own `keys()`: now and then it ends before the first key has come (nats 2.29).
  const { state } = await jsApi(nc, `STREAM.INFO.KV_${names.bucket.keys}`, { subjects_filter: `${prefix}>` });
  const found: { hash: string; revision: number; key: ApiKey }[] = [];
  for (const subject of Object.keys(state.subjects ?? {})) {
    const hash = subject.slice(prefix.length);
    const entry = await kv.get(hash);
    const key = entry?.operation === "PUT" ? parseKey(entry.value) : undefined;
    if (entry && key) found.push({ hash, revision: entry.revision, key });
  }
  return found;
}

function parseKey(value: Uint8Array): ApiKey | undefined {
  try {
    const key = JSON.parse(codec.decode(value)) as ApiKey;
    return typeof key.id === "string" && tenantPattern.test(key.tenant) && Array.isArray(key.scopes) ? key : undefined;
  } catch {
    return undefined; // A value that is no key of ours opens nothing.
  }
}

/** All keys in memory: a look-up asks nobody. */
export class KeyRing {
  readonly #bucket: WatchedBucket<ApiKey>;
  /** id -> hash */
  readonly #hashes = new Map<string, string>();

  constructor(names: Names, report: (fault: string) => void) {
    const parse = ({ key: hash, value }: { key: string; value: Uint8Array }) => {
      const key = parseKey(value);
      if (key) this.#hashes.set(key.id, hash);
      return key;
    };
    this.#bucket = new WatchedBucket(names.bucket.keys, parse, report);
  }

  /** Resolves when the keys have been read for the first time. */
  get ready(): Promise<void> {
    return this.#bucket.ready;
  }

  /** Have the keys been read? Before that nobody can be told from anybody. */
  get isReady(): boolean {
    return this.#bucket.isReady;
  }

  /** The key of this secret, or undefined for one that does not exist or was revoked. */
  find(secret: string): ApiKey | undefined {
    if (!keyShape.test(secret)) return undefined;
    // By hash: how long this takes says nothing of how much of the secret was right.
    return this.#unrevoked(hashOf(secret));
  }

  /** The key with this id, or undefined for one that does not exist or was revoked. */
  byId(id: string): ApiKey | undefined {
    return this.#unrevoked(this.#hashes.get(id));
  }

  /** HMAC-SHA-256 of a text with the hash of this key, which nobody outside knows; undefined where {@link byId} is. */
  sign(id: string, text: string): Buffer | undefined {
    return this.byId(id) && createHmac("sha256", this.#hashes.get(id)!).update(text).digest();
  }

  #unrevoked(hash: string | undefined): ApiKey | undefined {
    const key = hash === undefined ? undefined : this.#bucket.get(hash);
    return key?.revokedAt === undefined ? key : undefined;
  }

  /** Watches until {@link stop}. */
  run(nc: NatsConnection): Promise<void> {
    return this.#bucket.run(nc);
  }

  stop(): void {
    this.#bucket.stop();
  }
}
