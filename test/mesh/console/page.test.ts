import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import type { Route } from "playwright-core";
import { revokeKey } from "../../../mixins/keys.ts";
import { type Person, signIn, startBrowser, type TestBrowser } from "../../support/browser.ts";
import { Business } from "../../support/business.ts";
import { bury } from "../../support/dead-letters.ts";
import { eventually } from "../../support/eventually.ts";
import {
  generous,
  operators,
  postBulk,
  postLead,
  stages,
  startGateway,
  type TestGateway,
  throughAllStages,
} from "../../support/gateway.ts";
import { aLead, passed } from "../../support/leads.ts";

/** What a listing may call itself. Run as markup or as a script, it would leave its mark. */
const hostile = `<img src=x onerror="window.hacked=1">"'&</script><script>window.hacked=1</script>`;

describe("the console, in a browser", function () {
  this.timeout(90_000);
  let gateway: TestGateway;
  let browser: TestBrowser;
  let platform: string;
  let acme: string;
  /** A person of the tenant acme, and one who may everything. */
  let tenant: Person;
  let operator: Person;

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
    platform = (await gateway.key("operators", "read", "operate", "platform")).secret;
    acme = (await gateway.key("acme", "ingest", "read", "operate")).secret;
    [tenant, operator] = [await browser.person(), await browser.person()];
    await signIn(tenant, gateway.url, acme);
    await signIn(operator, gateway.url, platform);
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
  });
  afterEach(() => {
    for (const person of [tenant, operator]) if (person) assert.deepEqual(person.complaints.splice(0), []);
  });
  const go = ({ page }: Person, place: string) => page.goto(`${gateway.url}/console#/${place}`);

  it("shows each key what it may see", async () => {
    const places = (person: Person) => person.page.getByRole("navigation").getByRole("link").allTextContents();
    assert.deepEqual(await places(tenant), [
      "Leads",
      "Imports",
      "Dead letters",
      "Doubles",
      "Figures",
      "Budget",
      "Mail",
      "What was done",
    ]);
    assert.deepEqual((await places(operator)).slice(0, 3), ["Flow", "Nodes and streams", "Logs"]);
    await go(tenant, "flow");
    await tenant.page.getByText("the key lacks the scope platform").first().waitFor();
    const taker = await browser.person();
    await signIn(taker, gateway.url, (await gateway.key("acme", "ingest")).secret);
    await taker.page.getByText("This key shows nothing here").waitFor();
    await taker.context.close();
  });

  it("refuses a key that is none, and keeps the key in no storage of the browser", async () => {
    const { page, context } = await browser.person();
    await page.goto(`${gateway.url}/console`);
    await page.getByLabel("API key").fill("lf_wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("the API key is not valid").waitFor();
    await context.close();
    const kept = await tenant.page.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, (globalThis as any).document.cookie]),
    );
    assert.equal(kept, '[{},{},""]');
    const [cookie] = await tenant.context.cookies();
    assert.ok(cookie?.httpOnly && cookie.sameSite === "Strict" && !cookie.value.includes(acme));
  });

  it("pauses a stage once a reason is given, tells everybody, and resumes it once asked twice", async () => {
    const { page } = operator;
    await go(operator, "flow");
    await page.getByText("Every stage works").waitFor();
    await page.getByRole("link", { name: /^score\s*working/ }).click();
    await page.getByRole("button", { name: "Pause score" }).click();
    const dialog = page.getByRole("dialog");
    const pause = dialog.getByRole("button", { name: "Pause score" });
    assert.ok(await pause.isDisabled(), "not without a reason");
    await dialog.getByLabel("Why").fill("the rules are being mended");
    await pause.click();
    await page.getByText("the rules are being mended").waitFor();
    // The leads that come now wait, and the picture says how many.
    const trades = ["bakery", "florist", "garage", "dentist", "plumber", "library", "cinema"];
    const rows = trades.map((name, n) =>
      JSON.stringify({ name, phone: `309 555 010${n}`, source: "list", sourceId: name }),
    );
    await postBulk(gateway, acme, rows.join("\n"));
    await page.getByRole("link", { name: "Flow" }).first().click();
    await page.locator(".node.warn", { hasText: "score" }).getByText(/^~?7/).waitFor();
    const trouble = page.locator(".trouble", { hasText: "score is paused" });
    await trouble.getByText(/the rules are being mended · by key \S+ · (about )?7 leads in its mailbox/).waitFor();
    await trouble.getByRole("link", { name: "Runbook on StagePaused" }).click();
    // The runbook's commands are about this stage, whichever its example is.
    await page.getByText(/^stage score --resume$/m).waitFor();
    await page.goBack();
    await page.getByRole("button", { name: "Resume score" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Resume score" }).click();
    await page.getByText("Every stage works").waitFor();
    await go(operator, "operations");
    const done = page.getByRole("row").filter({ hasText: "stage.resume" }).first();
    await done.getByText("done").waitFor();
  });

  it("keeps to a pause, or a resume, when another operator is quicker", async () => {
    const { page } = operator;
    const call = (path: string, init = {}) => gateway.call(platform, `/v1/stages${path}`, init);
    const mockup = async () =>
      ((await (await call("")).json()) as any).stages.find(({ name }: { name: string }) => name === "mockup");
    const another = (what: "pause" | "resume", body?: object) =>
      call(`/mockup/${what}`, {
        method: "POST",
        ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
      });
    await go(operator, "stages/mockup");
    const dialog = page.getByRole("dialog");
    const seen = page.locator(".state-line");
    await page.getByRole("button", { name: "Pause mockup" }).click();
    await dialog.getByLabel("Why").fill("the second says");
    await another("pause", { reason: "the first says" });
    await seen.getByText("the first says").waitFor();
    await dialog.getByRole("button").last().click();
    await dialog.waitFor({ state: "detached" });
    await eventually("it is paused with the newer reason", async () => (await mockup()).why === "the second says");
    await seen.getByText("the second says").waitFor();
    await page.getByRole("button", { name: "Resume mockup" }).click();
    await dialog.getByText("the second says").waitFor();
    await another("resume");
    await seen.getByText("working").waitFor();
    await dialog.getByText("the second says").waitFor();
    await dialog.getByRole("button", { name: "Resume mockup" }).click();
    await dialog.waitFor({ state: "detached" });
    assert.equal((await mockup()).state, "working");
  });

  it("shows what a stranger calls itself as text, wherever it stands", async () => {
    const named = {
      name: hostile,
      email: "info@hostile.example",
      city: hostile,
      state: "IL",
      source: "list",
      sourceId: "h",
    };
    const lead = await throughAllStages(gateway, acme, named);
    const dead = aLead({ fields: { name: hostile, phone: hostile, vertical: hostile }, source: hostile });
    await bury(gateway, [passed(dead, "enrich", "dedupe")], { error: hostile.slice(0, 37) });
    const { page } = tenant;
    const isHarmless = async (place: string) => {
      await page.getByText(hostile.slice(0, 37)).first().waitFor();
      const hurt = await page.evaluate(() => [
        (globalThis as any).hacked ?? null,
        (globalThis as any).document.querySelector("main img, main script")?.outerHTML ?? null,
      ]);
      assert.deepEqual(hurt, [null, null], place);
    };
    for (const place of ["leads", `leads/${lead.id}`, "dead", "mail"]) {
      await go(tenant, place);
      await isHarmless(place);
    }
    await page.getByRole("row").filter({ hasText: "info@hostile.example" }).getByRole("button").click();
    await page.getByRole("dialog").waitFor();
    await isHarmless("an e-mail");
    await go(tenant, "dead");
    await page.getByRole("table", { name: "Dead letters" }).getByRole("link").first().click();
    await page.getByText("Mend it").waitFor();
    await isHarmless("a dead letter");
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), hostile);
  });

  it("finds a lead by its address, and tells where it is and its way there", async () => {
    const lead = await throughAllStages(gateway, acme, {
      name: "Lakeside Mill",
      email: "hello@lakeside-mill.example",
      city: "Peoria",
    });
    const { page } = tenant;
    await go(tenant, "leads");
    await page.getByLabel("Find").first().fill("hello@lakeside-mill.example");
    await page.keyboard.press("Enter");
    await page.getByRole("table", { name: "Leads" }).getByRole("link", { name: "Lakeside Mill" }).click();
    await page.getByText(/Where it is\./).waitFor();
    const timeline = await page.locator(".timeline strong").allTextContents();
    assert.deepEqual(
      timeline,
      gateway.resources.flow.map(({ name }) => name),
    );
    await go(tenant, "leads");
    await page.getByLabel("Find").first().fill(lead.id);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Lakeside Mill" }).waitFor();
    await go(tenant, "leads?q=nobody@nowhere.example");
    await page.getByText("No lead is like that").waitFor();
  });

  it("shows an import while it goes on, and its end", async () => {
    const rest = Promise.withResolvers<void>();
    async function* rows() {
      for (let n = 0; n < 20; n++)
        yield Buffer.from(
          `${JSON.stringify({ name: `Row ${n}`, city: "Joliet", source: "rows", sourceId: `${n}` })}\n`,
        );
      yield Buffer.from("no lead\n");
      await rest.promise;
    }
    const { page } = tenant;
    await go(tenant, "imports");
    const sent = postBulk(gateway, acme, rows());
    const shown = page.locator(".import").filter({ hasText: "21 rows read" });
    await shown.getByText("running").waitFor();
    rest.resolve();
    const { body } = await sent;
    await shown.filter({ hasText: body.importId }).getByText("ended").waitFor();
    assert.match((await shown.textContent())!, /20 accepted, 1 refused/);
    // And what becomes of its leads, in words; the bar says the same.
    const words = page.locator(".import").filter({ hasText: body.importId }).getByRole("list", { name: "What became" });
    await words.getByText(/^20 completed 100 %$/).waitFor();
    const bar = page.locator(".import").filter({ hasText: body.importId }).locator(".import-leads");
    const [whole, part] = [await bar.boundingBox(), await bar.locator(".completed").boundingBox()];
    assert.ok(whole!.width > 100 && whole!.height > 4);
    assert.deepEqual(part, whole);
  });

  it("shows the figures that the API tells, and gives them as a file", async () => {
    const { page } = tenant;
    const { totals } = await eventually("leads are counted", async () => {
      const told = (await (await gateway.call(acme, "/v1/analytics")).json()) as any;
      return told.totals.takenIn > 0 && told;
    });
    await go(tenant, "figures");
    await page
      .locator(".funnel li")
      .filter({ hasText: "Taken in" })
      .getByText(String(totals.takenIn), { exact: true })
      .waitFor();
    // Nobody tracks opens here: it says so, and shows no step of nought.
    await page.getByText("not measured: opened").waitFor();
    assert.equal(await page.locator(".funnel li").filter({ hasText: "Opened" }).count(), 0);
    await using business = new Business(gateway);
    const { lead_id: leadId } = await business.knex("leads").where({ tenant: "acme", state: "completed" }).first();
    const lead = aLead({ tenant: "acme", leadId, fields: { name: "Business", email: "owner@business.example" } });
    await business.mail(lead, "sent");
    await business.open(lead);
    await eventually("the open is counted", async () => {
      const told = (await (await gateway.call(acme, "/v1/analytics")).json()) as any;
      return told.totals.opened === 1;
    });
    await page.reload();
    await page.locator(".funnel li").filter({ hasText: "Opened" }).getByText("1", { exact: true }).waitFor();
    await page.getByRole("columnheader", { name: "Opened" }).waitFor();
    await page.getByLabel("A row a").selectOption("vertical");
    await page.getByRole("region", { name: "Table by vertical" }).getByText("none told").waitFor();
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "CSV" }).click()]);
    assert.match(file.suggestedFilename(), /^leads-.*\.csv$/);
    assert.match(await text((await file.createReadStream())!), /^key,/);
  });

  it("draws its curves anew with the figures beside them", async () => {
    const { secret } = await gateway.key("curves", "ingest", "read");
    const person = await browser.person();
    const { page } = person;
    await signIn(person, gateway.url, secret, "figures");
    const curve = page.locator(".chart", { hasText: "Leads" }).locator(".u-series", { hasText: "Taken in" });
    const last = (figure: RegExp) => curve.locator(".u-value", { hasText: figure });
    await last(/^0$/).waitFor();
    await postLead(gateway, secret, { name: "Corner Bakery", city: "Chicago" });
    await eventually("it is counted", async () => {
      const told = (await (await gateway.call(secret, "/v1/analytics")).json()) as any;
      return told.totals.takenIn === 1;
    });
    // A page that is looked at again asks at once.
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    await page.locator(".stat", { hasText: "Taken in" }).getByText("1", { exact: true }).waitFor();
    await last(/^1$/).waitFor();
    assert.deepEqual(person.complaints, []);
    await person.context.close();
  });

  it("asks for the key again when it was revoked, and goes on where it was", async () => {
    const { id, secret } = await gateway.key("acme", "read");
    const person = await browser.person();
    await signIn(person, gateway.url, secret, "imports");
    await person.page.getByRole("heading", { name: "Imports" }).waitFor();
    await revokeKey(gateway.nats, gateway.names, id);
    await person.page.getByText("The session is over").waitFor();
    await person.page.getByLabel("API key").fill(acme);
    await person.page.getByRole("button", { name: "Sign in" }).click();
    await person.page.getByRole("heading", { name: "Imports" }).waitFor();
    await person.page.getByRole("button", { name: "Sign out" }).click();
    await person.page.getByLabel("API key").waitFor();
    assert.deepEqual(await person.context.cookies(), []);
    await person.context.close();
  });

  it("says so when an answer breaks off, is none of the gateway's, or does not come", async () => {
    const { page } = tenant;
    const leads = "**/v1/leads?*";
    await page.route(leads, (route) => route.fulfill({ contentType: "application/json", body: '{"items":[' }));
    await go(tenant, "leads");
    await page.getByRole("alert").getByText("What came breaks off").waitFor();
    await page.unroute(leads);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("table", { name: "Leads" }).getByRole("link").first().waitFor();

    const known = operator.page.getByRole("link", { name: /^score\s*working/ });
    const note = operator.page.getByRole("alert").filter({ hasText: "What you see is what was last known." });
    await go(operator, "flow");
    await known.waitFor();
    const unanswered: Route[] = [];
    for (const [fault, said] of [
      [(route: Route) => route.fulfill({ contentType: "text/html", body: "<p>busy</p>" }), "is not the gateway's"],
      [(route: Route) => unanswered.push(route), "Nothing came within 15 seconds."],
    ] as const) {
      await operator.page.route("**/v1/stages", fault);
      await note.getByText(said).waitFor({ timeout: 30_000 });
      assert.ok(await known.isVisible());
      await operator.page.unroute("**/v1/stages");
      for (const route of unanswered) await route.continue().catch(() => {}); // The page may have given it up.
      await note.waitFor({ state: "detached" });
    }
  });

  it("keeps what was last known when the service behind goes, and says so", async () => {
    const { page } = operator;
    await go(operator, "flow");
    await page.getByRole("link", { name: /^score\s*working/ }).waitFor();
    await gateway.broker.destroyService("operations");
    await page.getByText("What you see is what was last known.").waitFor();
    assert.ok(await page.getByRole("link", { name: /^score\s*working/ }).isVisible());
    await go(operator, "mesh");
    await page.getByRole("alert").first().waitFor();
  });
});
