import type { Msg, NatsConnection } from "nats";
import { headers as natsHeaders, nuid } from "nats";
import { jsApi } from "../../mixins/jetstream.ts";
import type { Lead } from "../../services/leads/lead.ts";

/**
 * The same chain with nothing but the `nats` client: pull, decode, checkpoint, publish, acknowledge. No lanes, retries,
 * outages, splitting, drain or watchdog: what the actor's comforts cost is measured against it.
 */
export interface BareChain {
  stop(): void;
}

export interface BareOptions {
  nc: NatsConnection;
  streams: readonly { stream: string; subject: string; consumer: string }[];
  batchLeads: number;
  perEnvelope: number;
  concurrency: number;
  checkpoint(stage: number, leads: Lead[]): Promise<void>;
  ended(count: number): void;
}

export async function createBareStreams(nc: NatsConnection, streams: BareOptions["streams"]): Promise<void> {
  for (const { stream, subject, consumer } of streams) {
    await jsApi(nc, `STREAM.CREATE.${stream}`, {
      name: stream,
      subjects: [subject],
      retention: "workqueue",
      storage: "file",
      discard: "new",
    });
    await jsApi(nc, `CONSUMER.CREATE.${stream}.${consumer}`, {
      stream_name: stream,
      action: "",
      config: { durable_name: consumer, ack_policy: "explicit", max_ack_pending: 20_000, ack_wait: 30e9 },
    });
  }
}

export function startBare({
  nc,
  streams,
  batchLeads,
  perEnvelope,
  concurrency,
  checkpoint,
  ended,
}: BareOptions): BareChain {
  let stopped = false;
  const waiting = new Map<string, () => void>();
  const inbox = `_INBOX_bare.${nuid.next()}`;
  let sequence = 0;
  const acks = nc.subscribe(`${inbox}.*`, {
    callback: (_error, msg) => {
      const token = msg.subject.slice(inbox.length + 1);
      waiting.get(token)?.();
      waiting.delete(token);
    },
  });
  const publish = (subject: string, data: Uint8Array, id: string) =>
    new Promise<void>((resolve) => {
      const token = (sequence++).toString(36);
      waiting.set(token, resolve);
      const headers = natsHeaders();
      headers.set("Nats-Msg-Id", id);
      nc.publish(subject, data, { reply: `${inbox}.${token}`, headers });
    });

  for (const [n, { stream, consumer }] of streams.entries()) {
    const next = streams[n + 1];
    const work = async (messages: Msg[]) => {
      const leads = messages.flatMap((msg) =>
        (JSON.parse(msg.string()) as { items: { lead: Lead }[] }).items.map((item) => item.lead),
      );
      for (const lead of leads)
        lead.timeline.push({ stage: stream, at: Date.now(), waitedMs: 0, workedMs: 0, outcome: "forward" });
      await checkpoint(n, leads);
      if (next) {
        const out: Promise<void>[] = [];
        for (let i = 0; i < leads.length; i += perEnvelope) {
          const part = leads.slice(i, i + perEnvelope);
          const data = new TextEncoder().encode(JSON.stringify({ v: 1, items: part.map((lead) => ({ lead })) }));
          out.push(publish(next.subject, data, `${part[0]!.leadId}.${n}`));
        }
        await Promise.all(out);
      } else ended(leads.length);
      for (const msg of messages) msg.respond();
    };
    const envelopes = Math.max(1, Math.round(batchLeads / perEnvelope));
    const pull = async () => {
      while (!stopped) {
        const messages: Msg[] = [];
        const reply = `_INBOX_bare.${nuid.next()}`;
        await new Promise<void>((resolve) => {
          const sub = nc.subscribe(reply, {
            callback: (_error, msg) => {
              if (msg.reply && !msg.headers?.code) messages.push(msg);
              if (messages.length < envelopes && !(msg.headers && msg.headers.code >= 400)) return;
              sub.unsubscribe();
              resolve();
            },
          });
          nc.publish(
            `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
            JSON.stringify({ batch: envelopes, expires: 20e6 }),
            { reply },
          );
        });
        if (messages.length > 0) await work(messages);
      }
    };
    for (let i = 0; i < concurrency; i++) void pull();
  }
  return {
    stop() {
      stopped = true;
      acks.unsubscribe();
    },
  };
}
