import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { Agent, type Dispatcher } from "undici";
import { isPublicAddress, refusalOf, webPorts } from "./address-guard.ts";
import type { Page } from "./read-page.ts";
import { guardedLookup, type Resolve } from "./resolve.ts";

/** Why a site gave no page: the `reason` of its facts. */
export class FetchError extends Error {
  readonly reason: string;
  /** Node's, c-ares' or undici's code, where there was one. */
  readonly code: string;
  readonly httpStatus: number | undefined;
  constructor(reason: string, code = "", httpStatus?: number) {
    super(`${reason}${code === "" ? "" : ` (${code})`}`);
    this.name = "FetchError";
    this.reason = reason;
    this.code = code;
    this.httpStatus = httpStatus;
  }
}

export interface FetcherOptions {
  userAgent: string;
  resolve: Resolve;
  /** Bytes of a body, as sent and inflated. */
  maxBytes?: number;
  maxRedirects?: number;
  /** Requests at once to one host. */
  perHost?: number;
  connectTimeoutMs?: number;
  /** For tests on local servers; the defaults are the rule. */
  ports?: readonly number[];
  allowed?: (address: string) => boolean;
  /**
   * Local server that plays every `*.example` host. The sole exception to the address rule: only for these hosts, and
   * only to this origin. No other host is fetched then.
   */
  generatorUrl?: string;
}

/** What is read of a robots.txt: RFC 9309 asks for at least 500 KiB. */
const robotsBytes = 512_000;

/** Fetches pages under the rules of docs/enrich.md: checked addresses, capped time, bytes and redirects. */
export class Fetcher {
  readonly #options: Required<Omit<FetcherOptions, "generatorUrl">> & { generatorUrl: string | undefined };
  readonly #agent: Agent;

  constructor(options: FetcherOptions) {
    this.#options = {
      maxBytes: 2_000_000,
      maxRedirects: 5,
      perHost: 2,
      connectTimeoutMs: 3_000,
      ports: webPorts,
      allowed: isPublicAddress,
      generatorUrl: undefined,
      ...options,
    };
    const { resolve, allowed, perHost, connectTimeoutMs, generatorUrl } = this.#options;
    this.#agent = new Agent({
      // One origin plays all hosts of the generator.
      connections: generatorUrl === undefined ? perHost : 128,
      pipelining: 1,
      keepAliveTimeout: 4_000,
      ...(generatorUrl === undefined
        ? { connect: { lookup: guardedLookup(resolve, allowed), timeout: connectTimeoutMs, autoSelectFamily: true } }
        : {}),
    });
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  /** The page at an address, after its redirects. Throws {@link FetchError}. `mayFetch` is asked before every hop. */
  async page(address: string, signal: AbortSignal, mayFetch?: (url: URL) => Promise<void>): Promise<Page> {
    const { url, answer } = await this.#follow(address, signal, mayFetch);
    const { statusCode: status, headers } = answer;
    if (status >= 400) {
      discard(answer);
      throw new FetchError(`http_${status}`, "", status);
    }
    const type = String(headers["content-type"] ?? "text/html");
    if (!/^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(type)) {
      discard(answer);
      throw new FetchError("not_html", "", status);
    }
    return { url: url.href, status, headers, body: await this.#body(answer, this.#options.maxBytes, signal) };
  }

  /** The text of the host's robots.txt: "" where there is none, null where its server failed (RFC 9309 section 2.3.1). */
  async robots(origin: string, signal: AbortSignal): Promise<string | null> {
    const { answer } = await this.#follow(`${origin}/robots.txt`, signal);
    if (answer.statusCode >= 400) {
      discard(answer);
      return answer.statusCode >= 500 ? null : "";
    }
    const body = await this.#body(answer, robotsBytes, signal, true);
    return new TextDecoder().decode(body);
  }

  async #follow(address: string, signal: AbortSignal, mayFetch?: (url: URL) => Promise<void>) {
    let url: URL = new URL(address);
    for (let hop = 0; hop <= this.#options.maxRedirects; hop++) {
      this.#check(url);
      await mayFetch?.(url);
      const answer = await this.#request(url, signal);
      const { location } = answer.headers;
      if (![301, 302, 303, 307, 308].includes(answer.statusCode) || location === undefined) return { url, answer };
      discard(answer);
      const next = URL.parse(String(location), url.href);
      if (!next) throw new FetchError("bad_url", "", answer.statusCode);
      url = next;
    }
    throw new FetchError("redirects");
  }

  /** Every hop anew: a redirect is as free to name an inner address as the first URL was. */
  #check(url: URL): void {
    const { generatorUrl, ports } = this.#options;
    const played = generatorUrl !== undefined && /\.example$/i.test(url.hostname) && url.port === "";
    const refusal = played ? null : refusalOf(url, ports, this.#options.allowed);
    if (refusal) throw new FetchError(refusal);
    if (generatorUrl !== undefined && !played) throw new FetchError("off");
  }

  async #request(url: URL, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { generatorUrl, userAgent } = this.#options;
    try {
      return await this.#agent.request({
        origin: generatorUrl === undefined ? url.origin : new URL(generatorUrl).origin,
        path: url.pathname + url.search,
        method: "GET",
        headers: {
          ...(generatorUrl === undefined ? {} : { host: url.hostname }),
          "user-agent": userAgent,
          accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1",
          "accept-encoding": "gzip, deflate, br",
          "accept-language": "en,*;q=0.5",
        },
        signal,
      });
    } catch (error) {
      throw failureOf(error, signal);
    }
  }

  /** The body, inflated. Stops reading at the cap: `cut` keeps what it has, else the page is `too_large`. */
  async #body(answer: Dispatcher.ResponseData, most: number, signal: AbortSignal, cut = false): Promise<Uint8Array> {
    const { body, headers } = answer;
    const encoding = String(headers["content-encoding"] ?? "identity")
      .toLowerCase()
      .trim();
    const inflate =
      encoding === "gzip" || encoding === "x-gzip"
        ? createGunzip()
        : encoding === "deflate"
          ? createInflate()
          : encoding === "br"
            ? createBrotliDecompress()
            : null;
    if (inflate === null && encoding !== "identity" && encoding !== "") {
      discard(answer);
      throw new FetchError("bad_response", "encoding");
    }
    // Errors of the source end the inflater, whose iteration throws them.
    const source = inflate === null ? body : body.on("error", (error) => inflate.destroy(error)).pipe(inflate);
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        const room = most - size;
        size += chunk.length;
        chunks.push(size > most ? chunk.subarray(0, room) : chunk);
        if (size > most) break;
      }
    } catch (error) {
      throw failureOf(error, signal);
    } finally {
      inflate?.destroy();
      body.destroy();
    }
    if (size > most && !cut) throw new FetchError("too_large", "", answer.statusCode);
    return Buffer.concat(chunks);
  }
}

/** Lets an answer go without reading it; the connection with it. */
function discard({ body }: Dispatcher.ResponseData): void {
  body.on("error", () => {}).destroy();
}

/** What an error of the network, the name service, TLS or HTTP says about the site. */
export function failureOf(error: unknown, signal?: AbortSignal): FetchError {
  if (error instanceof FetchError) return error;
  if (signal?.aborted) return new FetchError("timeout");
  const { code: own, errors } = error as { code?: string; errors?: { code?: string }[] };
  const code = String(own ?? errors?.[0]?.code ?? (error as Error).name ?? "");
  return new FetchError(reasonOf(code, String((error as Error).message)), code);
}

function reasonOf(code: string, message: string): string {
  if (code === "BLOCKED_ADDRESS") return "blocked_address";
  if (/^(?:ENOTFOUND|ENODATA|EAI_|ESERVFAIL|EREFUSED|ETIMEOUT$|ECONNREFUSED_DNS|EBADNAME|ECANCELLED)/.test(code))
    return "dns";
  if (code === "ECONNREFUSED") return "refused";
  if (/TIMEOUT|ETIMEDOUT/.test(code)) return "timeout";
  if (/^(?:ENETUNREACH|EHOSTUNREACH|ENETDOWN|EADDRNOTAVAIL)$/.test(code)) return "unreachable";
  if (/^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_OSSL|HOSTNAME_MISMATCH|EPROTO)/.test(code))
    return "tls";
  if (
    /^(?:HPE_|HTTPParserError|UND_ERR_(?:HEADERS|RESPONSE|INVALID|RES_)|Z_|ERR__ERROR_FORMAT|ERR_BROTLI|ERR_)/.test(
      code,
    )
  )
    return "bad_response";
  if (/^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/.test(code) || /closed|terminated/i.test(message)) return "reset";
  return "unreachable";
}
