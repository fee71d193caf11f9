import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Meter } from "../metrics.ts";
import type { RateVerdict } from "../rate-limit.ts";

export interface Answer {
  /** 200 where it is absent. */
  status?: number;
  headers?: Record<string, string>;
  json?: unknown;
  html?: string;
  bytes?: Uint8Array;
  /** Content type of `bytes`, and of `json` when it is not application/json. */
  type?: string;
  /** Takes the answer over, once its head is written: server-sent events. */
  events?(res: ServerResponse): void;
}

/** How long what is left of a body is read and thrown away after an early answer, ms. Closed at once, the caller would see a reset instead. */
const lingerMs = 2_000;

/** Answers a request once; an answer for a caller that has gone is dropped. `closing`: the server leaves, the connection is not kept. */
export function send(req: IncomingMessage, res: ServerResponse, answer: Answer, closing: boolean): void {
  if (res.headersSent || res.destroyed) return;
  const { status = 200, headers = {}, json, html, bytes, type = "application/json", events } = answer;
  if (events) {
    res.writeHead(status, {
      ...headers,
      "Content-Type": "text/event-stream",
      // A proxy that gathers an answer before it passes it on would show nothing.
      "X-Accel-Buffering": "no",
      Connection: "close",
    });
    events(res);
    return;
  }
  const body = bytes ?? html ?? (json === undefined ? "" : JSON.stringify(json));
  if (body.length > 0) res.setHeader("Content-Type", html === undefined ? type : "text/html; charset=utf-8");
  res.setHeader("Content-Length", Buffer.byteLength(body));
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  if (closing) res.setHeader("Connection", "close");
  res.writeHead(status);
  res.end(body);
  if (req.complete || req.destroyed) return;
  req.on("error", () => {});
  req.resume();
  const { socket } = req;
  const timer = setTimeout(() => req.complete || socket.destroy(), lingerMs);
  req.once("close", () => clearTimeout(timer));
}

/** Writes events for as long as they come and the caller listens, no faster than it reads. For {@link Answer.events}. */
export function writeEvents(res: ServerResponse, events: AsyncIterable<string>): void {
  res.flushHeaders();
  pipeline(Readable.from(events), res).catch(() => res.destroy());
}

/** What has not happened yet is zero, not absent: the first failure of an operation is an increase. */
export function countFromZero(meter: Meter, operations: readonly { id: string }[]): void {
  for (const operation of [...operations.map(({ id }) => id), "none"])
    for (const code of ["2xx", "5xx"]) meter.add("leads_http_requests_total", { operation, code }, 0);
}

/** Counts the answer once it was sent, or its caller has gone. `operationOf` is asked then. */
export function countAnswer(res: ServerResponse, meter: Meter, operationOf: () => string): void {
  if (!meter.isOn) return;
  const since = performance.now();
  res.once("close", () => {
    const operation = operationOf();
    const code = res.headersSent ? `${Math.floor(res.statusCode / 100)}xx` : "gone";
    meter.add("leads_http_requests_total", { operation, code });
    // Events are told for hours.
    if (res.getHeader("Content-Type") === "text/event-stream") return;
    meter.observe("leads_http_duration_seconds", { operation }, (performance.now() - since) / 1_000);
  });
}

/**
 * What every answer carries. The API is data: nothing in it may be framed, sniffed, cached or run. HSTS is left to the
 * proxy that ends TLS: the gateway speaks plain HTTP and a browser ignores the header there (RFC 6797, 8.1).
 */
export function setSecurityHeaders(res: ServerResponse, requestId: string): void {
  res.setHeader("X-Request-Id", requestId);
  res.setHeader("X-Content-Type-Options", "nosniff");
  res.setHeader("X-Frame-Options", "DENY");
  res.setHeader("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  res.setHeader("Referrer-Policy", "no-referrer");
  res.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  res.setHeader("Cache-Control", "no-store");
}

/** draft-ietf-httpapi-ratelimit-headers-06: the form that clients in use understand. Seconds. */
export function setRateHeaders(res: ServerResponse, rate: RateVerdict): void {
  res.setHeader("RateLimit-Limit", rate.limit);
  res.setHeader("RateLimit-Remaining", rate.remaining);
  res.setHeader("RateLimit-Reset", Math.ceil(rate.resetMs / 1_000));
}
