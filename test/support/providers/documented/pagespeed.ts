/**
 * The example answer of https://developers.google.com/speed/docs/insights/v5/get-started, for
 * https://developers.google.com/: what the page cuts with "..." (further audits, references and groups) is left out here,
 * too. It is of Lighthouse 3.2, whose audits had no `numericValue` yet.
 */
export const measuredUrl = "https://developers.google.com/";

const share = (min: number, max: number | null, proportion: number) => ({
  min,
  ...(max === null ? {} : { max }),
  proportion,
});

export const measured = {
  captchaResult: "CAPTCHA_NOT_NEEDED",
  kind: "pagespeedonline#result",
  id: "https://developers.google.com/",
  loadingExperience: {
    id: "https://developers.google.com/",
    metrics: {
      FIRST_CONTENTFUL_PAINT_MS: {
        percentile: 3482,
        distributions: [
          share(0, 1000, 0.37151728768042963),
          share(1000, 2500, 0.4244153519077991),
          share(2500, null, 0.2040673604117713),
        ],
        category: "SLOW",
      },
      FIRST_INPUT_DELAY_MS: {
        percentile: 36,
        distributions: [
          share(0, 50, 0.960628961482204),
          share(50, 250, 0.02888834714773281),
          share(250, null, 0.010482691370063388),
        ],
        category: "FAST",
      },
    },
    overall_category: "SLOW",
    initial_url: "https://developers.google.com/",
  },
  originLoadingExperience: {
    id: "https://developers.google.com",
    metrics: {
      FIRST_CONTENTFUL_PAINT_MS: {
        percentile: 2761,
        distributions: [
          share(0, 1000, 0.4236433226493666),
          share(1000, 2500, 0.45045120795679117),
          share(2500, null, 0.1259054693938423),
        ],
        category: "SLOW",
      },
      FIRST_INPUT_DELAY_MS: {
        percentile: 45,
        distributions: [
          share(0, 50, 0.9537371485251699),
          share(50, 250, 0.03044972719889055),
          share(250, null, 0.01581312427593959),
        ],
        category: "FAST",
      },
    },
    overall_category: "SLOW",
    initial_url: "https://developers.google.com/",
  },
  lighthouseResult: {
    requestedUrl: "https://developers.google.com/",
    finalUrl: "https://developers.google.com/",
    lighthouseVersion: "3.2.0",
    userAgent:
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/72.0.3584.0 Safari/537.36",
    fetchTime: "2018-11-01T03:03:58.394Z",
    environment: {
      networkUserAgent:
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_6) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/71.0.3559.0 Safari/537.36",
      hostUserAgent:
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/72.0.3584.0 Safari/537.36",
      benchmarkIndex: 590,
    },
    runWarnings: [],
    configSettings: { emulatedFormFactor: "desktop", locale: "en-US", onlyCategories: ["performance"] },
    audits: {
      "estimated-input-latency": {
        id: "estimated-input-latency",
        title: "Estimated Input Latency",
        description:
          "The score above is an estimate of how long your app takes to respond to user input, in milliseconds, during the busiest 5s window of page load. If your latency is higher than 50 ms, users may perceive your app as laggy. [Learn more](https://developers.google.com/web/tools/lighthouse/audits/estimated-input-latency).",
        score: 1,
        scoreDisplayMode: "numeric",
        displayValue: "30 ms",
      },
      "uses-rel-preconnect": {
        id: "uses-rel-preconnect",
        title: "Preconnect to required origins",
        description:
          "Consider adding preconnect or dns-prefetch resource hints to establish early connections to important third-party origins. [Learn more](https://developers.google.com/web/fundamentals/performance/resource-prioritization#preconnect).",
        score: 1,
        scoreDisplayMode: "numeric",
        details: { headings: [], type: "opportunity", items: [], overallSavingsMs: 0 },
      },
    },
    categories: {
      performance: {
        id: "performance",
        title: "Performance",
        score: 0.96,
        auditRefs: [
          { id: "first-contentful-paint", weight: 3, group: "metrics" },
          { id: "first-meaningful-paint", weight: 1, group: "metrics" },
        ],
      },
    },
    categoryGroups: {
      "a11y-element-names": {
        title: "Elements Have Discernible Names",
        description:
          "These are opportunities to improve the semantics of the controls in your application. This may enhance the experience for users of assistive technology, like a screen reader.",
      },
      "a11y-language": {
        title: "Page Specifies Valid Language",
        description:
          "These are opportunities to improve the interpretation of your content by users in different locales.",
      },
    },
    i18n: {
      rendererFormattedStrings: {
        varianceDisclaimer: "Values are estimated and may vary.",
        opportunityResourceColumnLabel: "Opportunity",
        opportunitySavingsColumnLabel: "Estimated Savings",
        errorMissingAuditInfo: "Report error: no audit information",
        errorLabel: "Error!",
        warningHeader: "Warnings: ",
        auditGroupExpandTooltip: "Show audits",
        passedAuditsGroupTitle: "Passed audits",
        notApplicableAuditsGroupTitle: "Not applicable",
        manualAuditsGroupTitle: "Additional items to manually check",
        toplevelWarningsMessage: "There were issues affecting this run of Lighthouse:",
        scorescaleLabel: "Score scale:",
        crcLongestDurationLabel: "Maximum critical path latency:",
        crcInitialNavigation: "Initial Navigation",
        lsPerformanceCategoryDescription:
          "[Lighthouse](https://developers.google.com/web/tools/lighthouse/) analysis of the current page on an emulated mobile network. Values are estimated and may vary.",
        labDataTitle: "Lab Data",
      },
    },
  },
  analysisUTCTimestamp: "2018-11-01T03:03:58.394Z",
};
