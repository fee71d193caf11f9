import assert from "node:assert/strict";
import { errors as screenshots } from "../../support/providers/documented/screenshot.ts";
import { linksQuery, rankQuery, errors as semrush } from "../../support/providers/documented/semrush.ts";
import { errors as sendgrid } from "../../support/providers/documented/sendgrid.ts";
import { errors as yelp } from "../../support/providers/documented/yelp.ts";
import {
  anthropicKey,
  anthropicModel,
  anthropicStub,
  openaiKey,
  openaiModel,
  openaiStub,
} from "../../support/providers/llm.ts";
import { pagespeedKey, pagespeedStub } from "../../support/providers/pagespeed.ts";
import { placesKey, placesStub } from "../../support/providers/places.ts";
import { screenshotKey, screenshotStub } from "../../support/providers/screenshot.ts";
import { semrushKey, semrushStub } from "../../support/providers/semrush.ts";
import { SendGrid, sendgridKey } from "../../support/providers/sendgrid.ts";
import { yelpKey, yelpStub } from "../../support/providers/yelp.ts";

interface Asked {
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: object;
}
/** What is changed of a good request; `undefined` takes a part of it away. */
type Change = { [part in keyof Asked]?: Record<string, unknown> };

async function ask(url: string, good: Asked, change: Change): Promise<[status: number, body: string]> {
  const with_ = (part: keyof Asked) =>
    Object.fromEntries(Object.entries({ ...good[part], ...change[part] }).filter(([, value]) => value !== undefined));
  const query = new URLSearchParams(with_("query") as Record<string, string>).toString();
  const answer = await fetch(query === "" ? url : `${url}?${query}`, {
    headers: with_("headers") as Record<string, string>,
    ...(good.body === undefined ? {} : { method: "POST", body: JSON.stringify(with_("body")) }),
  });
  return [answer.status, await answer.text()];
}

const schema = { type: "object", properties: {}, required: [], additionalProperties: false };
const question = [{ role: "user", content: "Hello!" }];

/** Provider -> its stub, a request that it answers, and what the real API refuses of it: with which status and words. */
const table: Record<
  string,
  {
    open(): Promise<AsyncDisposable & { url: string }>;
    path: string;
    good: Asked;
    refuses: Record<string, [change: Change, status: number, words: string]>;
  }
> = {
  pagespeed: {
    open: pagespeedStub,
    path: "/pagespeedonline/v5/runPagespeed",
    good: { query: { url: "https://joe.example/", strategy: "mobile", category: "seo", key: pagespeedKey } },
    refuses: {
      "a missing key": [{ query: { key: undefined } }, 400, "API_KEY_INVALID"],
      "another key": [{ query: { key: "AIza" } }, 400, "API_KEY_INVALID"],
      "an unknown parameter": [{ query: { colour: "red" } }, 400, "Unknown name"],
      "an unknown category": [{ query: { category: "beauty" } }, 400, "INVALID_ARGUMENT"],
      "no page": [{ query: { url: undefined } }, 400, "INVALID_ARGUMENT"],
    },
  },
  yelp: {
    open: yelpStub,
    path: "/v3/businesses/search",
    good: { query: { location: "60601", limit: "50", offset: "0" }, headers: { authorization: `Bearer ${yelpKey}` } },
    refuses: {
      "a missing key": [{ headers: { authorization: undefined } }, 401, JSON.stringify(yelp.tokenMissing)],
      "another key": [{ headers: { authorization: "Bearer x" } }, 401, JSON.stringify(yelp.tokenInvalid)],
      "an unknown parameter": [{ query: { colour: "red" } }, 400, "VALIDATION_ERROR"],
      "no place": [{ query: { location: undefined } }, 400, "VALIDATION_ERROR"],
      "a place that is none": [{ query: { location: "00000" } }, 400, JSON.stringify(yelp.locationNotFound)],
      "more than fifty": [{ query: { limit: "51" } }, 400, "greater than the maximum of 50"],
      "an unknown order": [{ query: { sort_by: "beauty" } }, 400, "VALIDATION_ERROR"],
      "a page past the end": [{ query: { offset: "960" } }, 400, "limit+offset must be <= 1000"],
    },
  },
  places: {
    open: placesStub,
    path: "/v1/places:searchText",
    good: {
      headers: { "x-goog-api-key": placesKey, "x-goog-fieldmask": "places.id,nextPageToken" },
      body: { textQuery: "bakery in 60601" },
    },
    refuses: {
      "a missing key": [{ headers: { "x-goog-api-key": undefined } }, 403, "PERMISSION_DENIED"],
      "another key": [{ headers: { "x-goog-api-key": "AIza" } }, 400, "API_KEY_INVALID"],
      "no field mask": [{ headers: { "x-goog-fieldmask": undefined } }, 400, "FieldMask is a required parameter"],
      "an unknown field": [{ headers: { "x-goog-fieldmask": "places.colour" } }, 400, "Cannot find matching fields"],
      "an unknown parameter": [{ body: { colour: "red" } }, 400, "Unknown name"],
      "no question": [{ body: { textQuery: undefined } }, 400, "Empty text_query"],
      "a page past the end": [{ body: { pageToken: "no-such-token" } }, 400, "INVALID_ARGUMENT"],
    },
  },
  "semrush, its rank": {
    open: semrushStub,
    path: "/",
    good: { query: { ...rankQuery, key: semrushKey } },
    refuses: {
      "a missing key": [{ query: { key: undefined } }, 403, semrush.emptyKey],
      "another key": [{ query: { key: "x" } }, 403, semrush.wrongKey],
      "no report": [{ query: { type: undefined } }, 400, semrush.type],
      "an unknown report": [{ query: { type: "domain_beauty" } }, 403, semrush.report],
      "no domain": [{ query: { domain: undefined } }, 400, semrush.domain],
      "an unknown column": [{ query: { export_columns: "Dn,Zz" } }, 400, "column"],
      "an unknown parameter": [{ query: { colour: "red" } }, 400, "colour"],
      "a database that was not bought": [{ query: { database: "zz" } }, 403, semrush.database],
    },
  },
  "semrush, its links": {
    open: semrushStub,
    path: "/analytics/v1/",
    good: { query: { ...linksQuery, key: semrushKey } },
    refuses: {
      "a missing key": [{ query: { key: undefined } }, 403, semrush.emptyKey],
      "no target": [{ query: { target: undefined } }, 400, "target"],
      "an unknown column": [{ query: { export_columns: "ascore,beauty" } }, 400, "column"],
    },
  },
  screenshot: {
    open: screenshotStub,
    path: "/take",
    good: { headers: { "x-access-key": screenshotKey }, body: { url: "https://joe.example/", format: "jpg" } },
    refuses: {
      "a missing key": [{ headers: { "x-access-key": undefined } }, ...told(screenshots.keyRequired)],
      "another key": [{ headers: { "x-access-key": "x" } }, ...told(screenshots.keyInvalid)],
      "an unknown option": [{ body: { colour: "red" } }, 400, "colour is not allowed"],
      "no address": [{ body: { url: undefined } }, 400, screenshots.requestInvalid[1].error_code],
      "an unknown format": [{ body: { format: "bmp" } }, 400, "format must be one of"],
      "a quality above 100": [{ body: { image_quality: 101 } }, 400, "image_quality must be"],
      "more than 90 seconds": [{ body: { timeout: 91 } }, 400, "timeout must be"],
    },
  },
  openai: {
    open: openaiStub,
    path: "/v1/chat/completions",
    good: {
      headers: { authorization: `Bearer ${openaiKey}` },
      body: {
        model: openaiModel,
        messages: question,
        response_format: { type: "json_schema", json_schema: { name: "answer", strict: true, schema } },
      },
    },
    refuses: {
      "a missing key": [{ headers: { authorization: undefined } }, 401, "You didn't provide an API key"],
      "another key": [{ headers: { authorization: "Bearer sk-x" } }, 401, "invalid_api_key"],
      "an unknown parameter": [{ body: { colour: "red" } }, 400, "unknown_parameter"],
      "no messages": [{ body: { messages: undefined } }, 400, "missing_required_parameter"],
      "an unknown model": [{ body: { model: "gpt-none" } }, 404, "model_not_found"],
      "more tokens than it gives": [{ body: { max_completion_tokens: 16_385 } }, 400, "max_tokens is too large"],
    },
  },
  anthropic: {
    open: anthropicStub,
    path: "/v1/messages",
    good: {
      headers: { "x-api-key": anthropicKey, "anthropic-version": "2023-06-01" },
      body: {
        model: anthropicModel,
        max_tokens: 100,
        system: "Be brief.",
        messages: question,
        output_config: { format: { type: "json_schema", schema } },
      },
    },
    refuses: {
      "a missing key": [{ headers: { "x-api-key": undefined } }, 401, "x-api-key header is required"],
      "another key": [{ headers: { "x-api-key": "x" } }, 401, "authentication_error"],
      "no version": [{ headers: { "anthropic-version": undefined } }, 400, "anthropic-version"],
      "an unknown parameter": [{ body: { colour: "red" } }, 400, "Extra inputs are not permitted"],
      "no limit": [{ body: { max_tokens: undefined } }, 400, "max_tokens: Field required"],
      "an unknown model": [{ body: { model: "claude-none" } }, 404, "not_found_error"],
      "more tokens than it gives": [{ body: { max_tokens: 16_385 } }, 400, "maximum allowed number of output tokens"],
    },
  },
  sendgrid: {
    async open() {
      const server = new SendGrid();
      return Object.assign(server, { url: await server.open() });
    },
    path: "/v3/mail/send",
    good: {
      headers: { authorization: `Bearer ${sendgridKey}` },
      body: {
        personalizations: [{ to: [{ email: "joe@example.com" }] }],
        from: { email: "ann@example.com" },
        subject: "Hello",
        content: [{ type: "text/plain", value: "Hello!" }],
      },
    },
    refuses: {
      "a missing key": [{ headers: { authorization: undefined } }, 401, JSON.stringify(sendgrid[401])],
      "another key": [{ headers: { authorization: "Bearer SG.x" } }, 401, JSON.stringify(sendgrid[401])],
      "an unknown field": [{ body: { colour: "red" } }, 400, JSON.stringify(sendgrid[400])],
      "no sender": [{ body: { from: undefined } }, 400, JSON.stringify(sendgrid[400])],
      "nobody to send to": [{ body: { personalizations: [] } }, 400, JSON.stringify(sendgrid[400])],
      "empty content": [{ body: { content: [{ type: "text/plain", value: "" }] } }, 400, JSON.stringify(sendgrid[400])],
    },
  },
};

function told([status, body]: readonly [number, object]): [number, string] {
  return [status, JSON.stringify(body)];
}

describe("a provider's stand-in", () => {
  for (const [name, { open, path, good, refuses }] of Object.entries(table))
    it(`for ${name} answers a good request, and refuses what the real one would`, async () => {
      await using stub = await open();
      const [status, body] = await ask(stub.url + path, good, {});
      assert.ok(status === 200 || status === 202, `${status} ${body}`);
      for (const [what, [change, expected, words]] of Object.entries(refuses)) {
        const [status, body] = await ask(stub.url + path, good, change);
        assert.equal(status, expected, `${what}: ${body}`);
        assert.ok(body.includes(words), `${what}: ${body}`);
      }
    });
});
