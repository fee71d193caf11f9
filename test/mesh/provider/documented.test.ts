import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { normalise } from "../../../services/intake/normalise.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import type { Completion } from "../../../services/llm/completion.ts";
import { llmSchema } from "../../../services/mockup/llm-draft.ts";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { measured, measuredUrl } from "../../support/providers/documented/pagespeed.ts";
import { errors as screenshotErrors } from "../../support/providers/documented/screenshot.ts";
import * as semrush from "../../support/providers/documented/semrush.ts";
import { searched, searchedBefore } from "../../support/providers/documented/yelp.ts";
import type { HttpStub } from "../../support/providers/http-stub.ts";
import {
  anthropicKey,
  anthropicModel,
  anthropicStub,
  type LlmStub,
  openaiKey,
  openaiModel,
  openaiStub,
} from "../../support/providers/llm.ts";
import { pagespeedKey, pagespeedStub } from "../../support/providers/pagespeed.ts";
import { placesKey, placesStub } from "../../support/providers/places.ts";
import { screenshotKey, screenshotStub } from "../../support/providers/screenshot.ts";
import { semrushKey, semrushStub } from "../../support/providers/semrush.ts";
import { yelpKey, yelpStub } from "../../support/providers/yelp.ts";
import { stage } from "../../support/stages.ts";

const services = ["pagespeed", "yelp", "places", "semrush", "screenshot"].map(
  (name) => `services/${name}/${name}.service.ts`,
);
const models = ["services/llm/openai.service.ts", "services/llm/anthropic.service.ts"];

/** Bodies stand as the providers print them in `test/support/providers/documented`, with their pages' addresses. */
describe("what the providers' documentation shows", function () {
  this.timeout(60_000);
  let stubs: Record<"pagespeed" | "yelp" | "places" | "semrush" | "screenshot", HttpStub> &
    Record<"openai" | "anthropic", LlmStub>;
  let mesh: TestMesh;
  before(async () => {
    stubs = {
      pagespeed: await pagespeedStub(),
      yelp: await yelpStub(),
      places: await placesStub(),
      semrush: await semrushStub(),
      screenshot: await screenshotStub(),
      openai: await openaiStub(),
      anthropic: await anthropicStub(),
    };
    mesh = await startMesh({
      flow: [{ name: "end" }],
      services: [stage("end"), "services/budget/budget.service.ts", ...services, ...models],
      env: {
        LEADS_PAGESPEED_URL: stubs.pagespeed.url,
        LEADS_PAGESPEED_KEY: pagespeedKey,
        LEADS_YELP_URL: stubs.yelp.url,
        LEADS_YELP_KEY: yelpKey,
        LEADS_PLACES_URL: stubs.places.url,
        LEADS_PLACES_KEY: placesKey,
        LEADS_SEMRUSH_URL: stubs.semrush.url,
        LEADS_SEMRUSH_KEY: semrushKey,
        LEADS_SCREENSHOT_URL: stubs.screenshot.url,
        LEADS_SCREENSHOT_KEY: screenshotKey,
        LEADS_LLM_URL: `${stubs.openai.url}/v1`,
        LEADS_LLM_KEY: openaiKey,
        LEADS_LLM_MODEL: openaiModel,
        LEADS_ANTHROPIC_URL: stubs.anthropic.url,
        LEADS_ANTHROPIC_KEY: anthropicKey,
        LEADS_ANTHROPIC_MODEL: anthropicModel,
        LEADS_LLM_PRICES: `${openaiModel}=0.4/1.6/0.1,${anthropicModel}=1/5`,
      },
    });
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    for (const stub of Object.values(stubs ?? {})) await stub[Symbol.asyncDispose]();
  });
  const ask = (action: `${string}.${string}`, about: object) =>
    mesh.broker.call<any, object>(action, { tenant: "acme", effect: randomUUID(), ...about });
  const leadsOf = (rows: { raw: unknown }[], source: string, region: string) =>
    rows.map(
      ({ raw }) =>
        normalise(raw, {
          tenant: "acme",
          source,
          trust: "scraped",
          defaultRegion: region,
          now: Date.now(),
          newId: randomUUID,
        }) as { lead: Lead },
    );

  it("of PageSpeed is a measurement: what it does not tell is absent", async () => {
    assert.deepEqual(await ask("pagespeed.facts", { url: measuredUrl }), {
      status: "ok",
      measuredAt: Date.parse(measured.analysisUTCTimestamp),
      performance: 96,
    });
  });

  it("of Yelp's search is a page of listings, of which one that has closed for good is no lead", async () => {
    const page = (zip: string) => ask("listing-yelp.page", { zip, vertical: "coffee", cursor: null });
    assert.deepEqual(await page(searched.businesses[0]!.location.zip_code), { rows: [], unreadable: 0, cursor: "1" });
    const { rows, cursor } = await page("94103");
    assert.equal(cursor, "1", "the page shows one of 8,228");
    assert.deepEqual(rows[0].answer, searchedBefore.businesses[0]);
    const [{ lead }] = leadsOf(rows, "yelp", "US") as [{ lead: Lead }];
    const { name, phone, address, rating, reviewCount } = lead.fields;
    assert.deepEqual(
      [name, phone, rating, reviewCount, address?.city, address?.state, address?.zip],
      ["Four Barrel Coffee", "+14152520800", 4, 1_738, "San Francisco", "CA", "94103"],
    );
    assert.equal(lead.fields.website, undefined, "`url` is Yelp's page");
  });

  it("of Google's text search is a page of listings, their address in one line", async () => {
    const { rows, cursor } = await ask("listing-places.page", {
      zip: "2000",
      vertical: "vegetarian",
      region: "AU",
      cursor: null,
    });
    assert.equal(cursor, null);
    const [{ lead }, second] = leadsOf(rows, "places", "AU") as [{ lead: Lead }, { lead: Lead }];
    assert.equal(lead.fields.name, "Mother Chu's Vegetarian Kitchen");
    assert.equal(lead.fields.domain, "motherchusvegetarian.com.au");
    assert.equal(lead.fields.address?.country, "AU");
    assert.ok(lead.fields.categories?.includes("vegan-restaurant"));
    assert.equal(second.lead.fields.domain, "veggosizzle.com.au");
  });

  it("of SEMrush is what it answers to the documented requests, byte for byte, and a domain's facts", async () => {
    for (const [path, query, lines] of [
      ["/", semrush.rankQuery, semrush.rank],
      ["/analytics/v1/", semrush.linksQuery, semrush.links],
    ] as const) {
      const answer = await fetch(`${stubs.semrush.url}${path}?${new URLSearchParams({ ...query, key: semrushKey })}`);
      assert.equal(await answer.text(), `${lines.join("\r\n")}\r\n`);
    }
    const { askedAt: _at, ...facts } = await ask("semrush.facts", { domain: "seobook.com", country: "US" });
    assert.deepEqual(facts, {
      status: "ok",
      rank: 24_041,
      organicKeywords: 5_249,
      organicTraffic: 37_332,
      organicCostUsd: 143_496,
      adwordsKeywords: 0,
      score: 74,
      backlinks: 22_063_983,
      referringDomains: 49_145,
    });
  });

  it("of ScreenshotOne's errors about a site is why there is no picture", async () => {
    for (const [host, [, { error_code: reason }]] of [
      ["nameless-joe.example", screenshotErrors.nameNotResolved],
      ["failing-joe.example", screenshotErrors.hostReturned],
      ["slow-joe.example", screenshotErrors.timeout],
    ] as const)
      await assert.rejects(ask("screenshot.take", { leadId: randomUUID(), url: `https://${host}/` }), {
        type: "PROVIDER_REFUSED",
        data: { provider: "screenshot", reason },
      });
  });

  it("of the language models is an answer in words, counted and paid by its tokens, and no draft", async () => {
    for (const [name, by, model, costMicro] of [
      // 19 tokens at 0.4 and 10 at 1.6; 2,095 at 1 and 503 at 5.
      ["openai", "openai", "gpt-5.4", 24],
      ["anthropic", "anthropic", "claude-3-5-sonnet-20240620", 4_610],
    ] as const) {
      stubs[name].ending = "documented";
      const answer: Completion = await ask(`llm-${name}.complete`, {
        system: "You are a helpful assistant.",
        prompt: "Hello!",
        schema: llmSchema,
      });
      assert.deepEqual(answer, { by, model, costMicro, ok: false, reason: "not_json" });
    }
  });
});
