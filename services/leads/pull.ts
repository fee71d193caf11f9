import { createInbox, type Msg, type MsgHdrs, type NatsConnection } from "nats";

/** A message in hand, to be acknowledged when its effects are committed. */
export interface Pulled {
  subject: string;
  data: Uint8Array;
  headers: MsgHdrs | undefined;
  /** Its sequence in the stream. */
  seq: number;
  /** When the stream stored it, ms since 1970. */
  storedAt: number;
  ack(): void;
  /** More time before it is delivered again. */
  working(): void;
  /** Gives it back, to be delivered again after `delayMs`. */
  nak(delayMs: number): void;
}

export interface PullRequest {
  stream: string;
  consumer: string;
  /** Messages wanted at the most. */
  batch: number;
  /** How long the server may wait for them. */
  expiresMs: number;
  onMessage(message: Pulled): void;
  signal: AbortSignal;
}

/**
 * How a pull ended. `gone`: the consumer or stream is not there (503, "Consumer Deleted"); `silent`: the server owed an
 * end of the request and sent none, as over a connection that is cut without a close.
 */
export type PullEnd = "full" | "expired" | "gone" | "silent" | "aborted";

/** How long after its expiry the server's end of a request may take. */
const graceMs = 2_000;

/**
 * One pull request of a durable consumer, with an inbox and an end of its own: nothing of one request outlives it, so a
 * lost reconnect or a consumer made anew is mended by the next. The client's own `consume` keeps state between them.
 */
export function pull(nc: NatsConnection, request: PullRequest): Promise<PullEnd> {
  const { stream, consumer, batch, expiresMs, onMessage, signal } = request;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return resolve("aborted");
    const inbox = createInbox((nc as NatsConnection & { options?: { inboxPrefix?: string } }).options?.inboxPrefix);
    let received = 0;
    const end = (how: PullEnd) => {
      clearTimeout(deadline);
      signal.removeEventListener("abort", aborted);
      subscription.unsubscribe();
      resolve(how);
    };
    const aborted = () => end("aborted");
    const deadline = setTimeout(() => end("silent"), expiresMs + graceMs);
    const subscription = nc.subscribe(inbox, {
      callback: (error, message) => {
        if (error) return end("gone");
        if (message.subject === inbox)
          return end(endOf(message.headers?.code ?? 0, message.headers?.description ?? ""));
        onMessage(pulled(nc, message));
        if (++received === batch) end("full");
      },
    });
    signal.addEventListener("abort", aborted);
    try {
      const body = JSON.stringify({ batch, expires: expiresMs * 1_000_000 });
      nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, body, { reply: inbox });
    } catch (error) {
      end("gone");
      reject(error);
    }
  });
}

function endOf(code: number, description: string): PullEnd {
  if (code === 503) return "gone";
  return code === 409 && /deleted/i.test(description) ? "gone" : "expired";
}

/**
 * Sequence and time stand in the reply subject: `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequences…>.<stored, ns>.<pending>`, in
 * its longer form with domain and account before the stream and a token behind.
 * https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-15.md
 */
function pulled(nc: NatsConnection, message: Msg): Pulled {
  const reply = message.reply ?? "";
  const tokens = reply.split(".");
  const at = tokens.length > 9 ? 7 : 5;
  const answer = (body: string) => {
    // On a closed connection there is nobody to tell: the message will be delivered again.
    if (!nc.isClosed()) nc.publish(reply, body);
  };
  return {
    subject: message.subject,
    data: message.data,
    headers: message.headers,
    seq: Number(tokens[at]),
    // Nanoseconds are too many digits for a number: the last six are milliseconds' fraction.
    storedAt: Number(tokens[at + 2]?.slice(0, -6)),
    ack: () => answer("+ACK"),
    working: () => answer("+WPI"),
    nak: (delayMs) => answer(`-NAK {"delay":${delayMs * 1_000_000}}`),
  };
}
