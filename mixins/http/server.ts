import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { errorTable } from "../errors.ts";

/**
 * A server that slow or silent clients cannot fill: headers are due within ten seconds, connections have a number. A
 * request as a whole has no deadline, an upload may take hours; bodies are timed where they are read.
 */
export function makeServer(listener: RequestListener): Server {
  const server = createServer(
    {
      maxHeaderSize: 16_384,
      headersTimeout: 10_000,
      requestTimeout: 0,
      keepAliveTimeout: 20_000,
      connectionsCheckingInterval: 1_000,
    },
    listener,
  );
  server.maxConnections = 10_000;
  server.maxHeadersCount = 100;
  server.on("clientError", refuse);
  return server;
}

/** Answers what is not HTTP. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, type] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? [431, "TOO_LARGE" as const]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, "SLOW_REQUEST" as const]
        : [400, "MALFORMED" as const];
  const body = JSON.stringify({
    type: `urn:leadfactory:error:${type.toLowerCase().replaceAll("_", "-")}`,
    title: status === 431 ? "Request Header Fields Too Large" : errorTable[type].text.split(/[;.]/)[0],
    status,
  });
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Listens, or throws what is in the way (the port is taken, the address is not ours). */
export async function listen(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host);
  // Rejects with the server's error, if one comes first.
  await once(server, "listening");
}

/**
 * Leaves: takes no new connection, lets requests in hand end, asks uploads to end with what they have after half of the
 * time, and cuts what is left after nine tenths of it.
 */
export async function closeServer(server: Server, leaving: AbortController, drainMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  const done = new AbortController();
  const wait = (share: number) => delay(drainMs * share, undefined, { signal: done.signal });
  wait(0.5)
    .then(() => leaving.abort())
    .then(() => wait(0.4))
    .then(() => server.closeAllConnections())
    .catch(() => {}); // Everything ended in time.
  // A connection whose request ended after the close is idle, and would be kept alive.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await closed;
  clearInterval(sweep);
  done.abort();
}
