import { timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { LeadsError } from "../errors.ts";
import type { ApiKey, KeyRing } from "../keys.ts";
import { secretOf } from "./ids.ts";

/**
 * Signed sessions for browsers: a cookie names a key and says until when, signed with that key's own hash. Every gateway
 * knows the hashes, so each can check it alone, with NATS and Redis away; a revoked key's sessions end with the key, and
 * there is no secret to hand out or to change.
 */

export const cookieName = "leads_session";
/** A session that nobody renews ends after this, ms. */
export const sessionMs = 15 * 60_000;
/** However often it is renewed, the key is asked for again after this, ms. */
export const longestMs = 12 * 3_600_000;
/** Sent with whatever changes something: a page of another origin cannot add it without being asked back (CORS). */
export const consoleHeader = "x-leads-console";

type Keys = Pick<KeyRing, "find" | "byId" | "sign">;

export interface Session {
  key: ApiKey;
  /** When the key was given, ms since 1970. */
  since: number;
  /** ms since 1970 */
  until: number;
}

/** Whose request it is, and whether that still holds later on. */
export interface Asker {
  key: ApiKey;
  isValid(): boolean;
}

const signed = (id: string, since: number, until: number) => `session 1 ${id} ${since} ${until}`;

/** The cookie's value of a new or a renewed session. undefined: the key is gone, or was given too long ago. */
export function writeSession(keys: Keys, id: string, since: number, now: number): string | undefined {
  const until = Math.min(now + sessionMs, since + longestMs);
  const mac = until > now ? keys.sign(id, signed(id, since, until)) : undefined;
  return mac && `${id}.${since}.${until}.${mac.toString("base64url")}`;
}

/** The session that a cookie's value is of; undefined for one that is over, or that nobody here signed. */
export function readSession(keys: Keys, value: string, now: number): Session | undefined {
  const [, id, from, to, mac] = /^([0-9a-f]{12})\.(\d{1,15})\.(\d{1,15})\.([A-Za-z0-9_-]{43})$/.exec(value) ?? [];
  if (id === undefined || from === undefined || to === undefined || mac === undefined) return undefined;
  const since = Number(from);
  const until = Number(to);
  // Whoever has the key itself could sign any time: no longer than we would.
  if (until <= now || until > now + sessionMs || until > since + longestMs) return undefined;
  const right = keys.sign(id, signed(id, since, until));
  const given = Buffer.from(mac, "base64url");
  const key = keys.byId(id);
  return key && right && right.length === given.length && timingSafeEqual(right, given)
    ? { key, since, until }
    : undefined;
}

/** The value of our cookie in a `Cookie` header. */
export function cookieOf(header: string | undefined): string | undefined {
  for (const part of (header ?? "").split(";")) {
    const [name, ...value] = part.trim().split("=");
    if (name === cookieName) return value.join("=");
  }
  return undefined;
}

/** `Set-Cookie` for a session; "" ends it. `secure`: the browser speaks TLS with whatever stands before us. */
export function setCookie(value: string, secure: boolean): string {
  const age = value === "" ? 0 : Math.floor(sessionMs / 1_000);
  return `${cookieName}=${value}; Path=/; Max-Age=${age}; HttpOnly; SameSite=Strict${secure ? "; Secure" : ""}`;
}

/**
 * A cookie comes by itself, so a request that brings it must show that a page of ours sent it (SameSite alone lets in
 * other ports of the same host). Throws `FORBIDDEN`.
 */
export function checkOrigin(method: string, headers: IncomingHttpHeaders): void {
  const unsafe = method !== "GET" && method !== "HEAD";
  const site = headers["sec-fetch-site"];
  const { origin } = headers;
  const ours =
    site === "same-origin" ||
    (site === "none" && !unsafe) ||
    (site === undefined && (origin === undefined || hostOf(origin) === headers.host));
  if (!ours) throw new LeadsError("FORBIDDEN", "a session is for pages of this origin");
  if (unsafe && headers[consoleHeader] === undefined)
    throw new LeadsError("FORBIDDEN", `with a session, what changes something sends the header ${consoleHeader}`);
}

/**
 * Whose request it is: by the key that it brings, else by its session; undefined: nobody's. Throws `FORBIDDEN` for a
 * session that another origin used.
 */
export function askerOf(
  keys: Keys,
  { method = "", headers }: { method?: string | undefined; headers: IncomingHttpHeaders },
): Asker | undefined {
  const secret = secretOf(headers);
  if (secret !== undefined) {
    const key = keys.find(secret);
    return key && { key, isValid: () => keys.find(secret) !== undefined };
  }
  const value = cookieOf(headers.cookie);
  const session = value === undefined ? undefined : readSession(keys, value, Date.now());
  if (!session) return undefined;
  checkOrigin(method, headers);
  return { key: session.key, isValid: () => readSession(keys, value!, Date.now()) !== undefined };
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
