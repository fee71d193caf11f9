import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

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
  /** How long each answer takes, ms. */
  delayMs: number;
  /** What became of each request, in order of their answers. */
  answers: { request: string; failure: Failure }[];
}

/** The provider's own words for failures that it has words for. */
export type Words = Partial<Record<"401" | "402" | "429" | "500", object>>;

/** A server on a free port that fails as told, and else answers by `answer` (which refuses what the real one would). */
export async function httpStub(
  words: Words,
  answer: (
    url: URL,
    request: IncomingMessage,
    sent: string,
  ) => { status: number; body: unknown; headers?: Record<string, string> },
): Promise<HttpStub> {
  const stub = {
    failure: "none" as Failure,
    requests: [] as string[],
    served: 0,
    open: 0,
    delayMs: 0,
    answers: [] as { request: string; failure: Failure }[],
  };
  const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  const server = createServer(async (request, response) => {
    stub.requests.push(request.url!);
    stub.open++;
    response.once("close", () => stub.open--);
    let sent = "";
    for await (const part of request.setEncoding("utf8")) sent += part;
    if (stub.delayMs === 0) reply(request, response, sent);
    else setTimeout(() => reply(request, response, sent), stub.delayMs);
  });
  const reply = (request: IncomingMessage, response: ServerResponse, sent: string) => {
    const url = new URL(request.url!, "http://stub");
    stub.answers.push({ request: request.url!, failure: stub.failure });
    switch (stub.failure) {
      case "401":
      case "402":
      case "429":
      case "500":
        return json(response, Number(stub.failure), words[stub.failure] ?? {});
      case "429 with Retry-After":
        return json(response, 429, words["429"] ?? {}, { "retry-after": "120" });
      case "slow":
        return;
      case "cut": {
        const whole = JSON.stringify(answer(url, request, sent).body);
        response.writeHead(200, { "content-type": "application/json", "content-length": String(whole.length) });
        response.write(whole.slice(0, whole.length / 2), () => response.destroy());
        return;
      }
      case "another shape":
        return json(response, 200, { data: [{ score: "high" }] });
      case "not JSON":
        return response.writeHead(200, { "content-type": "text/html" }).end("<html>maintenance</html>");
      case "none": {
        const { status, body, headers } = answer(url, request, sent);
        if (status === 200) stub.served++;
        return json(response, status, body, headers);
      }
      default:
        return stub.failure satisfies never;
    }
  };
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
