/**
 * Every name that two processes must agree on: streams, subjects, consumers, headers, buckets, cache keys.
 * All of them start with the mesh's prefix (`LEADS_PREFIX`), so that two meshes can share one NATS server.
 */

export const lanes = ["live", "bulk"] as const;
/** `live`: someone waits for this lead. `bulk`: an import. */
export type Lane = (typeof lanes)[number];

/** Headers of every envelope. NATS keeps their spelling. */
export const headers = {
  /** Version of the envelope's form; a reader refuses one it does not know. */
  version: "Leads-Version",
  /** How many leads the envelope holds: backlog in leads is the sum of these. */
  count: "Leads-Count",
  tenant: "Leads-Tenant",
  lane: "Leads-Lane",
  request: "Leads-Request",
  /** W3C trace context, https://www.w3.org/TR/trace-context/ */
  traceparent: "traceparent",
  /** The import an envelope belongs to, when it does. */
  importId: "Leads-Import",
  /** Where a parked envelope goes when its time has come. */
  stage: "Leads-Stage",
  /** On an envelope that was cut out of one which may have killed its worker: it is handled alone. */
  suspect: "Leads-Suspect",
  msgId: "Nats-Msg-Id",
  schedule: "Nats-Schedule",
  scheduleTarget: "Nats-Schedule-Target",
  /** Stored only if this is the sequence of the last message of its subject; 0: if there is none. */
  expectedLast: "Nats-Expected-Last-Subject-Sequence",
} as const;

/** Version of the envelope's form that this code writes and reads. */
export const envelopeVersion = 1;

export type Names = ReturnType<typeof namesFor>;

/** The names of the mesh with this prefix. */
export function namesFor(prefix: string) {
  return {
    prefix,
    /** Subject on which a node says that its connection was away: answers of it may be lost. */
    reconnected: `${prefix}.node.reconnected`,
    /** What the name of every stream begins with. */
    streams: `${prefix}-`,
    /** A stage's mailbox: one stream, one subject and one durable consumer a lane. */
    mailbox: (stage: string) => ({
      stream: `${prefix}-${stage}`,
      subject: (lane: Lane) => `${prefix}.${stage}.${lane}`,
      consumer: (lane: Lane): string => lane,
      /** Stored together with a redriven envelope, and refused a second time: the proof that a letter was put back once. */
      redriven: (job: string, claim: number, letter: string) => `${prefix}.${stage}.redriven.${job}.${claim}.${letter}`,
      /** All of a job's, or of one of its claims. */
      redrivenBy: (job: string, claim?: number) => `${prefix}.${stage}.redriven.${job}.${claim ?? "*"}.*`,
      /** All of them. */
      markers: `${prefix}.${stage}.redriven.>`,
    }),
    /** Bulk envelopes rest here, a subject a tenant, until the admitter moves them on. */
    intake: {
      stream: `${prefix}-intake`,
      subject: (tenant: string) => `${prefix}.intake.${tenant}`,
      all: `${prefix}.intake.*`,
      consumer: (tenant: string) => `tenant-${tenant}`,
    },
    /** One message for each accepted envelope (its lead ids), until the record has them. A single lead stands in its own subject. */
    accepted: {
      stream: `${prefix}-accepted`,
      one: (tenant: string, leadId: string) => `${prefix}.accepted.${tenant}.${leadId}`,
      many: (tenant: string) => `${prefix}.accepted.${tenant}.many`,
      all: `${prefix}.accepted.>`,
      consumer: "record",
    },
    /** Leads that wait for a moment: a schedule each, and the due ones that a mover puts back into their mailbox. */
    park: {
      stream: `${prefix}-park`,
      schedule: (stage: string, lane: Lane, id: string) => `${prefix}.park.wait.${stage}.${lane}.${id}`,
      waiting: (stage: string, lane: Lane) => `${prefix}.park.wait.${stage}.${lane}.*`,
      due: (stage: string, lane: Lane) => `${prefix}.park.due.${stage}.${lane}`,
      all: `${prefix}.park.>`,
      consumer: (stage: string, lane: Lane) => `due-${stage}-${lane}`,
      /** Nobody reads it: what it has pending is what is parked, counted by the server. */
      counter: (stage: string, lane: Lane) => `wait-${stage}-${lane}`,
    },
    /** Messages that used up their retries or can never succeed. */
    dead: {
      stream: `${prefix}-dead`,
      subject: (stage: string, tenant: string) => `${prefix}.dead.${stage}.${tenant}`,
      /** In the place of the tenant, of a message that could not be read. */
      nobody: "unknown",
      all: `${prefix}.dead.>`,
      consumer: "record",
    },
    /** Streams beside the mailboxes in which no lead is on its way: ids and hashes at the most. */
    leadless: [`${prefix}-logs`, `${prefix}-unsubscribed`, `${prefix}-operations`] as readonly string[],
    /** Lines of the log, by level and by the service that says them; each may be `*`. */
    logs: {
      stream: `${prefix}-logs`,
      subject: (level: string, service: string) =>
        `${prefix}.logs.${level}.${service.replace(/[^A-Za-z0-9_*-]/g, "_")}`,
      all: `${prefix}.logs.>`,
    },
    /** Addresses (their hashes) that asked for no more e-mail while the database was away. */
    unsubscribed: {
      stream: `${prefix}-unsubscribed`,
      subject: (tenant: string) => `${prefix}.unsubscribed.${tenant}`,
      all: `${prefix}.unsubscribed.>`,
      consumer: "record",
    },
    /** What operators do, until the record has it. */
    operations: {
      stream: `${prefix}-operations`,
      subject: (tenant: string) => `${prefix}.operations.${tenant === "" ? "_" : tenant}`,
      all: `${prefix}.operations.*`,
      consumer: "record",
    },
    /** Buckets of JetStream key-value. */
    bucket: {
      /** `pause.<stage>`: who paused it, when and why. */
      control: `${prefix}-control`,
      /** SHA-256 of an API key -> its tenant and scopes. */
      keys: `${prefix}-keys`,
      /** Idempotency keys of 24 hours. */
      idempotency: `${prefix}-idempotency`,
      /** `<tenant>.<mark>`: of a person who was erased lately; whoever has such a lead in hand lets it go. */
      erased: `${prefix}-erased`,
      /** `retry.<provider>`: nobody calls it until then. `quota.<provider>.<day>`: calls that were handed out. */
      providers: `${prefix}-providers`,
    },
    /** Object stores of JetStream. */
    objects: {
      /** Pictures of leads' web sites, by {@link screenshotKey}. */
      screenshots: `${prefix}-screenshots`,
    },
    /** Prefix of every key in Redis. */
    cache: (kind: string, key: string) => `${prefix}:${kind}:${key}`,
  };
}

/** The name of the picture of a lead's web site in its object store: one a lead, so that whoever erases the lead finds it. */
export const screenshotKey = (tenant: string, leadId: string): string => `${tenant}/${leadId}`;

/** A tenant's name: it stands in subjects, keys and statements. */
export const tenantPattern = /^[a-z0-9][a-z0-9-]{0,31}$/;
