import { setImmediate } from "node:timers/promises";
import { Agent, type Dispatcher } from "undici";
import { ask, codings, inflated, type Sent, type Wanted } from "../../mixins/outbound.ts";
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

/** Where a redirect may lead, characters. */
const longestUrl = 2_048;

/** Fetches pages under the rules of docs/enrich.md: checked addresses, capped time, bytes and redirects. */
export class Fetcher {
  readonly #options: Required<Omit<FetcherOptions, "generatorUrl">> & { generatorOrigin: string | undefined };
  readonly #agent: Agent;

  constructor(options: FetcherOptions) {
    this.#options = {
      maxBytes: 2_000_000,
      maxRedirects: 5,
      perHost: 2,
      connectTimeoutMs: 3_000,
      ports: webPorts,
      allowed: isPublicAddress,
      ...options,
      generatorOrigin: options.generatorUrl === undefined ? undefined : new URL(options.generatorUrl).origin,
    };
    const { resolve, allowed, perHost, connectTimeoutMs, generatorOrigin } = this.#options;
    this.#agent = new Agent({
      // One origin plays all hosts of the generator.
      connections: generatorOrigin === undefined ? perHost : 128,
      pipelining: 1,
      keepAliveTimeout: 4_000,
      ...(generatorOrigin === undefined
        ? { connect: { lookup: guardedLookup(resolve, allowed), timeout: connectTimeoutMs, autoSelectFamily: true } }
        : {}),
    });
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  /** The page at an address, after its redirects. Throws {@link FetchError}. `mayFetch` is asked before every hop. */
  async page(address: string, signal: AbortSignal, mayFetch?: (url: URL) => Promise<void>): Promise<Page> {
    const { maxBytes } = this.#options;
    const wanted = (status: number, headers: Sent["headers"]) =>
      status < 400 && isHtml(headers) && !isRedirect(status, headers) ? maxBytes : null;
    const { url, answer } = await this.#follow(address, signal, wanted, mayFetch);
    const { status, headers } = answer;
    if (status >= 400) throw new FetchError(`http_${status}`, "", status);
    if (!isHtml(headers)) throw new FetchError("not_html", "", status);
    const { body, cut } = await this.#inflated(answer, maxBytes);
    if (cut) throw new FetchError("too_large", "", status);
    return { url: url.href, status, headers, body };
  }

  /** The text of the host's robots.txt: "" where there is none, null where its server failed (RFC 9309 section 2.3.1). */
  async robots(origin: string, signal: AbortSignal): Promise<string | null> {
    const wanted = (status: number, headers: Sent["headers"]) =>
      status < 400 && !isRedirect(status, headers) ? robotsBytes : null;
    const { answer } = await this.#follow(`${origin}/robots.txt`, signal, wanted);
    await connectionFree();
    if (answer.status >= 400) return answer.status >= 500 ? null : "";
    const { body } = await this.#inflated(answer, robotsBytes);
    return new TextDecoder().decode(body);
  }

  async #follow(address: string, signal: AbortSignal, wanted: Wanted, mayFetch?: (url: URL) => Promise<void>) {
    let url: URL = new URL(address);
    for (let hop = 0; hop <= this.#options.maxRedirects; hop++) {
      this.#check(url);
      await mayFetch?.(url);
      const answer = await this.#request(url, signal, wanted);
      const { status, headers } = answer;
      if (!isRedirect(status, headers)) return { url, answer };
      const next = URL.parse(String(headers.location), url.href);
      if (!next || next.href.length > longestUrl) throw new FetchError("bad_url", "", status);
      url = next;
      await connectionFree();
    }
    throw new FetchError("redirects");
  }

  /** Every hop anew: a redirect is as free to name an inner address as the first URL was. */
  #check(url: URL): void {
    const { generatorOrigin, ports } = this.#options;
    const played = generatorOrigin !== undefined && /\.example$/i.test(url.hostname) && url.port === "";
    const refusal = played ? null : refusalOf(url, ports, this.#options.allowed);
    if (refusal) throw new FetchError(refusal);
    if (generatorOrigin !== undefined && !played) throw new FetchError("off");
  }

  async #request(url: URL, signal: AbortSignal, wanted: Wanted): Promise<Sent> {
    const { generatorOrigin, userAgent } = this.#options;
    const request: Dispatcher.DispatchOptions = {
      origin: generatorOrigin ?? url.origin,
      path: url.pathname + url.search,
      method: "GET",
      headers: {
        ...(generatorOrigin === undefined ? {} : { host: url.hostname }),
        "user-agent": userAgent,
        accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1",
        "accept-encoding": codings,
        "accept-language": "en,*;q=0.5",
      },
    };
    try {
      return await ask(this.#agent, request, signal, wanted);
    } catch (error) {
      throw failureOf(error, signal);
    }
  }

  async #inflated(answer: Sent, most: number): Promise<{ body: Buffer; cut: boolean }> {
    let found: Awaited<ReturnType<typeof inflated>>;
    try {
      found = await inflated(answer, most);
    } catch (error) {
      throw failureOf(error);
    }
    if (found === null) throw new FetchError("bad_response", "encoding");
    return found;
  }
}

/**
 * undici gives a connection its next request a turn of the event loop after an answer, in case that the server closes it:
 * who asks the same host again within the turn pays for a connection more, and for its TLS.
 */
const connectionFree = (): Promise<void> => setImmediate();

function isRedirect(status: number, { location }: Sent["headers"]): boolean {
  return location !== undefined && [301, 302, 303, 307, 308].includes(status);
}

function isHtml(headers: Sent["headers"]): boolean {
  return /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(headers["content-type"] ?? "text/html");
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
