import { errors } from "./documented/screenshot.ts";
import { type HttpStub, httpStub, type StubAnswer, type Words } from "./http-stub.ts";

/**
 * ScreenshotOne's API on a local port: https://screenshotone.com/docs/getting-started, its options by
 * https://screenshotone.com/docs/options, its errors with their words by https://screenshotone.com/docs/errors/.
 */
export const screenshotKey = "stub-key-of-screenshotone";

const words: Words = {
  "401": errors.keyInvalid,
  "402": errors.quota,
  "429": errors.concurrency,
  "500": errors.internal,
};

/** A picture of one grey pixel. */
export const picture = Buffer.from(
  "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=",
  "base64",
);

const options = new Set(
  "url access_key format image_quality viewport_width viewport_height full_page block_ads block_cookie_banners timeout delay ignore_host_errors".split(
    " ",
  ),
);
const formats = "png jpeg jpg webp gif jp2 tiff avif heif pdf html markdown".split(" ");
/** Numbers, and what each may be at the most: a picture's quality in percent, seconds. */
const most: Readonly<Record<string, number>> = { image_quality: 100, timeout: 90 };

/** Hosts whose first word is `failing-` answer no success, `nameless-` have no address, `slow-` take too long. */
export function screenshotStub(): Promise<HttpStub> {
  return httpStub(words, (url, request, sent): StubAnswer => {
    if (url.pathname !== "/take" || request.method !== "POST") return { status: 404, body: {} };
    const refuse = ([status, body]: readonly [number, object], more: object = {}): StubAnswer => ({
      status,
      body: { ...body, ...more },
    });
    const key = request.headers["x-access-key"];
    if (key === undefined) return refuse(errors.keyRequired);
    if (key !== screenshotKey) return refuse(errors.keyInvalid);
    const asked = JSON.parse(sent) as Record<string, unknown>;
    const wrong = (details: string) => refuse(errors.requestInvalid, { error_details: [details] });
    for (const name of Object.keys(asked)) if (!options.has(name)) return wrong(`${name} is not allowed`);
    if (typeof asked["url"] !== "string" || !URL.canParse(asked["url"])) return wrong("url must be a valid URL");
    if (!formats.includes(String(asked["format"] ?? "jpg"))) return wrong(`format must be one of ${formats}`);
    for (const [name, limit] of Object.entries(most))
      if (asked[name] !== undefined && !((asked[name] as number) >= 0 && (asked[name] as number) <= limit))
        return wrong(`${name} must be less than or equal to ${limit}`);
    const { host } = new URL(asked["url"]);
    if (host.startsWith("nameless-")) return refuse(errors.nameNotResolved);
    if (host.startsWith("failing-")) return refuse(errors.hostReturned, { returned_status_code: 503 });
    if (host.startsWith("slow-")) return refuse(errors.timeout);
    return { status: 200, body: picture };
  });
}
