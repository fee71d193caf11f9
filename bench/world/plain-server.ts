import { type AddressInfo, createServer, type Socket } from "node:net";

/** Answers a request by the bytes of a whole HTTP/1.1 response, in Latin-1. */
export type Answer = (path: string, host: string) => string;

/**
 * An HTTP server for GET requests on kept-alive connections, and for nothing else: `node:http` would take more of the
 * machine than what is asked of it. Returns its URL; each answer is `delayMs` late.
 */
export async function plainServer(answer: Answer, delayMs: number): Promise<string> {
  const server = createServer({ noDelay: true }, (socket) => {
    let unread = "";
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      unread += text;
      for (let end = unread.indexOf(headEnd); end >= 0; end = unread.indexOf(headEnd)) {
        const head = unread.slice(0, end);
        unread = unread.slice(end + headEnd.length);
        // Timers of one length end in the order they were set in: answers keep to that of their requests.
        if (delayMs > 0) setTimeout(respond, delayMs, socket, head);
        else respond(socket, head);
      }
    });
    // A client that goes is its own affair.
    socket.on("error", () => {});
  });
  function respond(socket: Socket, head: string): void {
    const path = head.slice(head.indexOf(" ") + 1, head.indexOf(" HTTP/1.1"));
    socket.write(answer(path, /\r\nhost: *([^\r:]*)/i.exec(head)?.[1]?.toLowerCase() ?? ""), "latin1");
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const headEnd = "\r\n\r\n";

/** A whole response. `body` holds Latin-1 characters alone. */
export function response(status: string, type: string, body: string, headers = ""): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n${headers}Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n${body}`;
}
