const error = (status: number, code: string, page: string, message: string) =>
  [
    status,
    {
      is_successful: false,
      error_code: code,
      error_message: message,
      documentation_url: `https://screenshotone.com/docs/errors/${page}`,
    },
  ] as const;

/** The example of each page under https://screenshotone.com/docs/errors/, with the HTTP status of that page's table. */
export const errors = {
  keyRequired: error(
    400,
    "access_key_required",
    "access-key-required/",
    "The `access_key` parameter is required. Please, check out the access dashboard page to get the access key—https://dash.screenshotone.com/access.",
  ),
  keyInvalid: error(
    400,
    "access_key_invalid",
    "access-key-invalid/",
    "The `access_key` parameter is set, but it is not correct. Please, check out the access dashboard page to get the access key—https://dash.screenshotone.com/access.",
  ),
  quota: error(
    400,
    "screenshots_limit_reached",
    "usage-quota-exceeded/",
    "The usage quota has been exceeded. Please, either upgrade to a plan with more quota or change the maximum allowed limit (if possible) in the ScreenshotOne dashboard. If it is a mistake, please, reach out at `support@screenshotone.com.`",
  ),
  concurrency: error(
    400,
    "concurrency_limit_reached",
    "concurrency-limit-reached/",
    "You reached the request concurrency limit, retry after a while. Or feel free to upgrade your current plan—https://dash.screenshotone.com/subscription.",
  ),
  /** The page's example says `request_invalid`, its text and the table of all errors `request_not_valid`. */
  requestInvalid: error(
    400,
    "request_invalid",
    "request-invalid/",
    "The request parameters are not valid. You can look at the `error_details` response field to get more details.",
  ),
  nameNotResolved: error(
    400,
    "name_not_resolved",
    "name-not-resolved/",
    "Usually, the error happens when the domain name of the requested URL is not resolved. If you are trying to take a screenshot of the new site, please, wait a bit until the DNS records are refreshed.",
  ),
  network: error(
    500,
    "network_error",
    "network-error/",
    "The error happens when the API can't connect to the provided URL. It might mean that the site blocks the API or is temporarily unavailable. Generally, you can safely retry to take a screenshot.",
  ),
  hostReturned: error(
    500,
    "host_returned_error",
    "host-returned-error/",
    "If the host doesn't respond successfully within the range of 200-299 status codes, the API won't take a screenshot. You can force the API to take a screenshot of the error page by specifying `ignore_host_errors`=true. You can get the returned status code from the site by reading the `returned_status_code` field.",
  ),
  timeout: error(
    500,
    "timeout_error",
    "",
    "The screenshot couldn't be taken within the specified timeout. Either the site doesn't respond quickly, or rendering takes longer than expected. Play with the `timeout` or the `navigation_timeout` options or reach the support for the investigation.",
  ),
  internal: error(
    500,
    "internal_application_error",
    "internal-application-error/",
    "The API failed to serve your request. You can try replay the request. If the error is repeated after a few retries, please, reach out at `support@screenshotone.com.`",
  ),
  unavailable: error(
    503,
    "temporary_unavailable",
    "temporary-unavailable/",
    "The API is temporarily unavailable due to an error or overload. Please wait a bit and then safely retry your request.",
  ),
};
