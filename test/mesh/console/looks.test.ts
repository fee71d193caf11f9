import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { type Person, signIn, startBrowser, type TestBrowser } from "../../support/browser.ts";
import { bury } from "../../support/dead-letters.ts";
import { eventually } from "../../support/eventually.ts";
import {
  generous,
  operators,
  postBulk,
  stages,
  startGateway,
  type TestGateway,
  throughAllStages,
} from "../../support/gateway.ts";
import { aLead, passed } from "../../support/leads.ts";
import { askedAbout } from "../../support/reviews.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const many = 10_000;

/** What axe finds wrong with the page as it is now, by rule, with where. */
async function violations(page: Page): Promise<string[]> {
  // Of the WCAG to level AA, and of the best practices.
  const run = "axe.run(document, { resultTypes: ['violations'] })";
  const { violations: found } = (await page.evaluate(`${axe};${run}`)) as {
    violations: { id: string; help: string; nodes: { target: string[]; failureSummary: string }[] }[];
  };
  return found.map(
    ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((n) => `${n.target} ${n.failureSummary}`).join("; ")}`,
  );
}

describe("the console's looks", function () {
  this.timeout(120_000);
  let gateway: TestGateway;
  let browser: TestBrowser;
  let operator: Person;
  /** Places, with something that stands there once it is drawn. */
  let places: [string, string][];

  before(async function () {
    const found = await startBrowser();
    if (!found) return this.skip();
    browser = found;
    gateway = await startGateway({
      services: [
        ...stages,
        ...operators,
        "services/budget/budget.service.ts",
        "services/analytics/analytics.service.ts",
      ],
      env: generous,
    });
    const { secret } = await gateway.key("acme", "ingest", "read", "operate", "platform");
    const lead = await throughAllStages(gateway, secret, {
      name: "Corner Bakery",
      email: "info@corner-bakery.example",
      city: "Chicago",
      foundedYear: "soon",
    });
    await postBulk(gateway, secret, `${JSON.stringify({ name: "Mill", city: "Peoria" })}\n`);
    await bury(gateway, [passed(aLead(), "enrich", "dedupe")]);
    await askedAbout(gateway, secret);
    const [{ id }] = ((await (await gateway.call(secret, "/v1/dead-letters")).json()) as any).items;
    places = [
      ["flow", ".node.good"],
      ["stages/score", ".table"],
      ["runbook/PoolUsedUp?stage=score", ".json"],
      ["mesh", ".stream"],
      ["logs", ".empty, .vt"],
      ["leads", ".vt-row a"],
      [`leads/${lead.id}`, ".timeline"],
      ["imports", ".import-flow .completed"],
      ["dead", ".vt-row a"],
      [`dead/${id}`, ".mend"],
      ["figures", ".funnel"],
      ["budget", ".window"],
      ["mail", ".vt-row button"],
      ["operations", ".empty, .vt"],
      ["doubles", ".review"],
      ["nowhere", ".empty"],
    ];
    operator = await browser.person();
    await signIn(operator, gateway.url, secret);
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
  });
  const go = async (place: string, drawn: string) => {
    await operator.page.goto(`${gateway.url}/console#/${place}`);
    await operator.page.locator(drawn).first().waitFor();
  };

  for (const colorScheme of ["light", "dark"] as const)
    it(`leave nothing to complain of to axe, ${colorScheme}, at every place and in a dialog`, async () => {
      const { page } = operator;
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const [place, drawn] of places) {
        await go(place, drawn);
        assert.deepEqual(await violations(page), [], place);
      }
      await go("stages/score", ".table");
      await page.getByRole("button", { name: "Pause score" }).click();
      await page.getByRole("dialog").waitFor();
      assert.deepEqual(await violations(page), [], "a dialog");
      await page.keyboard.press("Escape");
      const stranger = await browser.person({ colorScheme });
      await stranger.page.goto(`${gateway.url}/console`);
      await stranger.page.getByLabel("API key").waitFor();
      assert.deepEqual(await violations(stranger.page), [], "signing in");
      await stranger.context.close();
    });

  it("fit a phone: nothing is wider than it, and the menu opens by a tap", async () => {
    const { page } = operator;
    await page.setViewportSize({ width: 360, height: 740 });
    try {
      for (const [place, drawn] of places) {
        await go(place, drawn);
        const wide = await page.evaluate("document.documentElement.scrollWidth");
        assert.ok((wide as number) <= 360, `${place} is ${wide} wide`);
      }
      await page.getByRole("button", { name: "Menu" }).click();
      await page.getByRole("link", { name: "Budget" }).click();
      await page.getByRole("heading", { name: "Budget" }).waitFor();
      await page.getByRole("navigation").waitFor({ state: "hidden" });
      assert.deepEqual(await violations(page), []);
    } finally {
      await page.setViewportSize({ width: 1440, height: 900 });
    }
  });

  it("can be used by the keyboard alone: the way to the content, from row to row, in and out of a dialog", async () => {
    const { page } = operator;
    await go("dead", ".vt-row a");
    await page.reload();
    await page.locator(".vt-row a").waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.textContent"), "To the content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.activeElement.tagName"), "H1");
    await page.getByRole("rowgroup", { name: "Dead letters: rows" }).focus();
    await page.keyboard.press("ArrowDown");
    await eventually("a row has the keyboard", () => page.evaluate("document.activeElement.matches('[data-index] a')"));
    await page.keyboard.press("Enter");
    await page.getByText("Mend it").waitFor();
    assert.equal(await page.evaluate("document.activeElement.id"), "title", "a new place is read from its title on");
    const redrive = page.getByRole("button", { name: "Redrive as it is…" });
    await redrive.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    assert.ok(await page.evaluate("document.activeElement.closest('dialog') !== null"), "the dialog has the keyboard");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Redrive as it is…");
  });

  it(`scroll through ${many} leads at 50 frames a second or better`, async () => {
    const knex = gateway.resources.databases.of("many");
    await knex.raw(
      `insert into leads (tenant, lead_id, revision, step, state, stage, source, trust, tier, name, fields, score, accepted_at)
       select 'many', gen_random_uuid(), n, 1, 'completed', 'email', 'list', 50, 1, 'Shop ' || n,
              jsonb_build_object('name', 'Shop ' || n, 'address', jsonb_build_object('city', 'Chicago', 'state', 'IL')),
              n % 101, now() - make_interval(secs => n) from generate_series(1, ?) n`,
      [many],
    );
    const person = await browser.person();
    const { page } = person;
    await signIn(person, gateway.url, (await gateway.key("many", "read")).secret, "leads");
    await page.locator(".vt-row a").first().waitFor();
    const rows = "Number(document.querySelector('[aria-rowcount]').ariaRowCount) - 1";
    while (((await page.evaluate(rows)) as number) < many) {
      const before = await page.evaluate(rows);
      await page.evaluate("document.querySelector('.vt-scroll').scrollTop = 1e9");
      await eventually("the next page is there", () => page.evaluate(`${rows} > ${before}`));
    }
    assert.ok(((await page.evaluate("document.querySelectorAll('.vt-row').length")) as number) < 80, "few are drawn");
    const client = await person.context.newCDPSession(page);
    // The main thread's own time: what others do on this machine is not the page's doing.
    await client.send("Performance.enable", { timeDomain: "threadTicks" });
    const busyMs = async () => {
      const { metrics } = await client.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "TaskDuration")!.value * 1_000;
    };
    const frames = 150;
    const began = await busyMs();
    const tookMs = (await page.evaluate(`(async () => {
      const list = document.querySelector(".vt-scroll");
      list.scrollTop = 0;
      const since = performance.now();
      for (let n = 0; n < ${frames}; n++) {
        // From a slow wheel to a pulled scroll bar.
        list.scrollTop += n % 3 === 0 ? 2500 : 130;
        await new Promise(requestAnimationFrame);
      }
      return performance.now() - since;
    })()`)) as number;
    const frameMs = ((await busyMs()) - began) / frames;
    console.log(
      `# a frame took ${frameMs.toFixed(1)} ms of the page's thread; ${((frames * 1_000) / tookMs).toFixed(0)} frames a second here and now`,
    );
    assert.ok(frameMs <= 20, `${frameMs} ms a frame`);
    assert.deepEqual(person.complaints, []);
    await person.context.close();
  });
});
