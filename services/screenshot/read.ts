/**
 * A picture of a web site by an API in ScreenshotOne's format, https://screenshotone.com/docs/getting-started and
 * https://screenshotone.com/docs/options: what is asked for, and what an answer says.
 */

export const path = "/take";

/** What fits the window of a desktop browser, as JPEG: 100 to 300 kB. */
export function options(url: string, timeoutSeconds: number): object {
  return {
    url,
    format: "jpg",
    image_quality: 80,
    viewport_width: 1_280,
    viewport_height: 800,
    full_page: false,
    block_ads: true,
    block_cookie_banners: true,
    timeout: timeoutSeconds,
  };
}

/** A picture, or why there is none. */
export interface Picture {
  format?: "jpeg";
  bytes?: Uint8Array;
  error_code?: string;
}

/** The form of a good answer. */
export const schema = { format: { type: "enum", values: ["jpeg"] } };

/** By its first bytes, whatever its content type says. Throws for what is neither a picture nor JSON. */
export function parsePicture(body: Buffer): Picture {
  if (body[0] === 0xff && body[1] === 0xd8 && body[2] === 0xff) return { format: "jpeg", bytes: body };
  return JSON.parse(body.toString("utf8")) as Picture;
}

/** Codes that speak of the site, or of what was asked. https://screenshotone.com/docs/errors/ */
const ofTheSite = new Set([
  "name_not_resolved",
  "network_error",
  "host_returned_error",
  "timeout_error",
  // The documentation has both names for it.
  "request_not_valid",
  "request_invalid",
  "resulting_image_too_large",
  "content_contains_specified_string",
]);
const ofTheKey = new Set([
  "access_key_required",
  "access_key_invalid",
  "signature_is_required",
  "signature_is_not_valid",
]);

/**
 * ScreenshotOne's errors, whose HTTP status is 400 for a wrong key and for a quota alike, and 500 for a site that is down.
 * The month's pictures come back with the month or a larger plan; those of a minute soon. null: the status says enough.
 */
export function sortError(status: number, body: Picture | undefined) {
  const code = body?.error_code;
  if (status < 300 || code === undefined) return null;
  if (ofTheKey.has(code)) return { kind: "down", reason: `refuses the key (${code})` } as const;
  if (code === "screenshots_limit_reached")
    return { kind: "later", waitMs: 3_600_000, reason: "has taken its pictures of the month" } as const;
  if (code === "concurrency_limit_reached")
    return { kind: "later", waitMs: null, reason: "has had too many requests" } as const;
  return ofTheSite.has(code) ? ({ kind: "never", reason: code } as const) : null;
}
