import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text as textOf } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

/** Ways in which any provider can fail, whatever it is. */
export type Failure =
  | "none"
  | "401"
  | "402"
  | "429"
  | "429 with Retry-After"
  | "500"
  | "slow"
  | "cut"
  | "another shape"
  | "not JSON";

export interface HttpStub extends AsyncDisposable {
  url: string;
  /** How it fails from now on. */
  failure: Failure;
  /** Requests that came to it, by path and query. */
  requests: string[];
  /** Of these, how many it answered as asked. */
  served: number;
  /** Requests that it has not answered yet. */
  open: number;
  /** How long the answer to each request takes that comes from now on, ms. */
  delayMs: number;
  /** What became of each request, in order of their answers. */
  answers: { request: string; failure: Failure }[];
}

/** JSON, plain text, or a picture. */
type Body = object | string | Buffer;

/** The provider's own words for failures that it has words for, with its own status where it has one of its own. */
export type Words = Partial<Record<"401" | "402" | "429" | "500", object | readonly [status: number, body: Body]>>;

export interface StubAnswer {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** A server on a free port that fails as told, and else answers by `answer` (which refuses what the real one would). */
export async function httpStub(
  words: Words,
  answer: (url: URL, request: IncomingMessage, body: string) => StubAnswer,
): Promise<HttpStub> {
  const stub = {
    failure: "none" as Failure,
    requests: [] as string[],
    served: 0,
    open: 0,
    delayMs: 0,
    answers: [] as { request: string; failure: Failure }[],
  };
  const send = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) => {
    const [type, bytes] = encoded(body);
    response.writeHead(status, { "content-type": type, ...headers }).end(bytes);
  };
  const told = (failure: keyof Words): [number, unknown] => {
    const word = words[failure] ?? {};
    return Array.isArray(word) ? [word[0], word[1]] : [Number(failure), word];
  };
  const server = createServer(async (request, response) => {
    stub.requests.push(request.url!);
    stub.open++;
    const { delayMs } = stub;
    response.once("close", () => stub.open--);
    const url = new URL(request.url!, "http://stub");
    const sent = await textOf(request);
    if (delayMs > 0) await delay(delayMs);
    stub.answers.push({ request: request.url!, failure: stub.failure });
    switch (stub.failure) {
      case "401":
      case "402":
      case "429":
      case "500":
        return send(response, ...told(stub.failure));
      case "429 with Retry-After":
        return send(response, ...told("429"), { "retry-after": "120" });
      case "slow":
        return;
      case "cut": {
        const [type, whole] = encoded(answer(url, request, sent).body);
        response.writeHead(200, { "content-type": type, "content-length": String(whole.length) });
        response.write(whole.subarray(0, whole.length / 2), () => response.destroy());
        return;
      }
      case "another shape":
        return send(response, 200, { data: [{ score: "high" }] });
      case "not JSON":
        return response.writeHead(200, { "content-type": "text/html" }).end("<html>maintenance</html>");
      case "none": {
        const { status, body, headers } = answer(url, request, sent);
        if (status === 200) stub.served++;
        return send(response, status, body, headers);
      }
      default:
        return stub.failure satisfies never;
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(stub, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  });
}

function encoded(body: unknown): [type: string, Buffer] {
  if (Buffer.isBuffer(body)) return ["image/jpeg", body];
  if (typeof body === "string") return ["text/plain", Buffer.from(body)];
  return ["application/json", Buffer.from(JSON.stringify(body))];
}
