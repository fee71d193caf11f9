import { type HttpStub, httpStub, type StubAnswer, type Words } from "./http-stub.ts";

/**
 * ScreenshotOne's API on a local port: https://screenshotone.com/docs/getting-started, its options by
 * https://screenshotone.com/docs/options, its errors with their words by https://screenshotone.com/docs/errors/.
 */
export const screenshotKey = "stub-key-of-screenshotone";

const error = (code: string, message: string, more: object = {}) => ({
  is_successful: false,
  error_code: code,
  error_message: message,
  documentation_url: `https://screenshotone.com/docs/errors/${code.replaceAll("_", "-")}/`,
  ...more,
});
const invalidKey = error(
  "access_key_invalid",
  "The `access_key` parameter is set, but it is not correct. Please, check out the access dashboard page to get the access key—https://dash.screenshotone.com/access.",
);
const words: Words = {
  "401": [400, invalidKey],
  "402": [
    400,
    error(
      "screenshots_limit_reached",
      "The usage quota has been exceeded. Please, either upgrade to a plan with more quota or change the maximum allowed limit (if possible) in the ScreenshotOne dashboard. If it is a mistake, please, reach out at `support@screenshotone.com.`",
    ),
  ],
  "429": [
    400,
    error(
      "concurrency_limit_reached",
      "You reached the request concurrency limit, retry after a while. Or feel free to upgrade your current plan—https://dash.screenshotone.com/subscription.",
    ),
  ],
  "500": [
    500,
    error(
      "internal_application_error",
      "The API failed to serve your request. You can try replay the request. If the error is repeated after a few retries, please, reach out at `support@screenshotone.com.`",
    ),
  ],
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

/** Hosts whose first word is `failing-` answer no success, `nameless-` have no address. */
export function screenshotStub(): Promise<HttpStub> {
  return httpStub(words, (url, request, sent): StubAnswer => {
    if (url.pathname !== "/take" || request.method !== "POST") return { status: 404, body: {} };
    const refuse = (status: number, body: object): StubAnswer => ({ status, body });
    const key = request.headers["x-access-key"];
    if (key === undefined) return refuse(400, error("access_key_required", "The `access_key` parameter is required."));
    if (key !== screenshotKey) return refuse(400, invalidKey);
    const asked = JSON.parse(sent) as Record<string, unknown>;
    const wrong = (details: string) =>
      refuse(400, error("request_not_valid", "The request parameters are not valid.", { error_details: [details] }));
    for (const name of Object.keys(asked)) if (!options.has(name)) return wrong(`${name} is not allowed`);
    if (typeof asked["url"] !== "string" || !URL.canParse(asked["url"])) return wrong("url must be a valid URL");
    if (!["jpg", "png", "webp"].includes(String(asked["format"]))) return wrong("format is not one of them");
    const { host } = new URL(asked["url"]);
    if (host.startsWith("nameless-"))
      return refuse(400, error("name_not_resolved", "The domain name of the requested URL is not resolved."));
    if (host.startsWith("failing-"))
      return refuse(
        500,
        error(
          "host_returned_error",
          "If the host doesn't respond successfully within the range of 200-299 status codes, the API won't take a screenshot. You can force the API to take a screenshot of the error page by specifying `ignore_host_errors`=true. You can get the returned status code from the site by reading the `returned_status_code` field.",
          { returned_status_code: 503 },
        ),
      );
    return { status: 200, body: picture };
  });
}
