import assert from "node:assert/strict";
import { transaction } from "../../../mixins/knex.ts";
import { openReviews } from "../../../services/dedupe/reviews.sql.ts";
import type { Lead } from "../../../services/leads/lead.ts";
import { writeEnds } from "../../../services/leads/record.ts";
import { type Person, signIn, startBrowser, type TestBrowser } from "../../support/browser.ts";
import { bury, jobEnd } from "../../support/dead-letters.ts";
import { eventually } from "../../support/eventually.ts";
import { generous, operators, stages, startGateway, type TestGateway } from "../../support/gateway.ts";
import { aLead, passed } from "../../support/leads.ts";
import { askedAbout, type ReviewItem } from "../../support/reviews.ts";

describe("the console, where operators decide on dead letters and doubles", function () {
  this.timeout(90_000);
  let gateway: TestGateway;
  let browser: TestBrowser;
  let acme: string;
  /** A person of the tenant acme, and one who may everything. */
  let tenant: Person;
  let operator: Person;

  before(async function () {
    const found = await startBrowser();
    if (!found) return this.skip();
    browser = found;
    gateway = await startGateway({ services: [...stages, ...operators], env: generous });
    acme = (await gateway.key("acme", "ingest", "read", "operate")).secret;
    [tenant, operator] = [await browser.person(), await browser.person()];
    await signIn(tenant, gateway.url, acme);
    await signIn(operator, gateway.url, (await gateway.key("operators", "read", "operate", "platform")).secret);
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
  });
  afterEach(() => {
    for (const person of [tenant, operator]) if (person) assert.deepEqual(person.complaints.splice(0), []);
  });
  const go = ({ page }: Person, place: string) => page.goto(`${gateway.url}/console#/${place}`);
  const letters = async (leads: Lead[], burial = {}) =>
    bury(
      gateway,
      leads.map((lead) => passed(lead, "enrich", "dedupe")),
      burial,
    );
  /** What the API answers to the tenant acme. */
  const told = async (path: string, body?: object): Promise<any> => {
    const posted = body && {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    };
    return (await gateway.call(acme, path, posted)).json();
  };

  it("redrives those of a filter after a dry run, each once, and shows how far that is", async () => {
    const leads = Array.from({ length: 4 }, () => aLead());
    await letters(leads.slice(0, 3), { error: "Redrivable" });
    await letters(leads.slice(3), { error: "Another" });
    const { page } = tenant;
    await go(tenant, "dead");
    await page.getByRole("button", { name: /^3 score Redrivable/ }).click();
    await page.getByRole("button", { name: "Redrive…" }).click();
    const dialog = page.getByRole("dialog");
    assert.equal(await dialog.getByRole("button", { name: "Redrive 3" }).count(), 0, "not before the dry run");
    await dialog.getByRole("button", { name: "See what would be done" }).click();
    await dialog.getByText("3 letters match.").waitFor();
    await dialog.getByRole("button", { name: "Redrive 3" }).click();
    await page.locator(".job").filter({ hasText: "3 of 3" }).getByText("done").waitFor();
    for (const { leadId } of leads.slice(0, 3))
      await eventually("it has passed all stages", async () => {
        const answer = await gateway.call(acme, `/v1/leads/${leadId}`);
        return ((await answer.json()) as any).status === "completed";
      });
  });

  it("mends a letter's lead and redrives it, and says why a mending is refused", async () => {
    const lead = aLead({ fields: { name: "Broken Mill", phone: "+13125550100" } });
    await letters([lead], { error: "Mendable" });
    const { page } = tenant;
    await go(tenant, "dead?error=Mendable");
    await page.getByRole("link", { name: "Mendable" }).click();
    const mend = page.getByRole("button", { name: "Mend and redrive…" });
    assert.ok(await mend.isDisabled(), "nothing is changed yet");
    await page.getByLabel("Phone").fill("none");
    await mend.click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "See what would be done" }).click();
    await dialog.getByText("1 letter would stay dead").click();
    await dialog.getByText(/patch refused: /).waitFor();
    assert.ok(await dialog.getByRole("button", { name: "Redrive 1" }).isDisabled());
    await page.keyboard.press("Escape");
    await page.getByLabel("Phone").fill("312 555 0177");
    await mend.click();
    await dialog.getByRole("button", { name: "See what would be done" }).click();
    await dialog.getByRole("button", { name: "Redrive 1" }).click();
    await eventually("the mended lead has passed all stages", async () => {
      const { status, fields } = (await (await gateway.call(acme, `/v1/leads/${lead.leadId}`)).json()) as any;
      return status === "completed" && fields.phone === "+13125550177";
    });
  });

  it("discards what was picked, with the reason", async () => {
    const lead = aLead();
    await letters([lead], { error: "Hopeless" });
    const { page } = tenant;
    await go(tenant, "dead?error=Hopeless");
    await page.getByRole("checkbox").first().check();
    await page.getByText("1 picked").waitFor();
    await page.getByRole("button", { name: "Discard…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Why").fill("closed for good");
    await dialog.getByRole("button", { name: "See what would be done" }).click();
    await dialog.getByRole("button", { name: "Discard 1" }).click();
    await page.locator(".job").filter({ hasText: "closed for good" }).getByText("done").waitFor();
    const { status } = (await (await gateway.call(acme, `/v1/leads/${lead.leadId}`)).json()) as any;
    assert.equal(status, "discarded");
  });

  it("does to the letters what the dialog was opened for, whatever ends or is filtered behind it", async () => {
    await letters([aLead(), aLead()], { error: "Held" });
    await letters([aLead()], { error: "EndsMeanwhile" });
    const { page } = tenant;
    await go(tenant, "dead?error=NobodyDiedOf");
    await go(tenant, "dead?error=Held");
    const boxes = page.getByRole("checkbox");
    await eventually("both are listed", async () => (await boxes.count()) === 2);
    await boxes.first().check();
    await page.getByRole("button", { name: "Discard…" }).click();
    const dialog = page.getByRole("dialog", { name: "Discard 1 letter" });
    await dialog.getByLabel("Why").fill("one of two");
    await dialog.getByRole("button", { name: "See what would be done" }).click();
    await dialog.getByText("1 letter matches.").waitFor();
    const { id } = await told("/v1/dead-letters/discard", { filter: { error: "EndsMeanwhile" }, reason: "meanwhile" });
    await jobEnd(gateway, id);
    await page.locator(".job").filter({ hasText: "meanwhile" }).getByText("done").waitFor();
    assert.ok(await page.getByText("1 picked").isVisible(), "a selection outlives another's job");
    await page.goBack();
    await page.getByText("None is like that.").waitFor();
    await dialog.getByRole("button", { name: "Discard 1" }).click();
    await page.locator(".job").filter({ hasText: "one of two" }).getByText("done").waitFor();
    await page.getByText("1 picked").waitFor({ state: "detached" });
    const { items } = await told("/v1/dead-letters?error=Held");
    assert.equal(items.length, 1);
  });

  it("redrives letters of which the dry run could open none", async () => {
    await letters([aLead()], { error: "FarDown" });
    const { page } = tenant;
    // As a dry run answers whose look ended before it met one.
    const none = { dryRun: true, matched: 1, looked: 0, redrivable: 0, left: [] };
    await page.route("**/v1/dead-letters/redrive", (route) =>
      route.request().postDataJSON().dryRun ? route.fulfill({ json: none }) : route.continue(),
    );
    await go(tenant, "dead?error=FarDown");
    await page.getByRole("button", { name: "Redrive…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "See what would be done" }).click();
    await dialog.getByText("1 letter matches. None was opened").waitFor();
    await dialog.getByRole("button", { name: "Redrive 1" }).click();
    await eventually("it is put back", async () => (await told("/v1/dead-letters?error=FarDown")).items.length === 0);
    await page.unroute("**/v1/dead-letters/redrive");
  });

  it("lets a platform operator stop a tenant's job", async () => {
    const leads = Array.from({ length: 60 }, () => aLead());
    await letters(leads, { error: "RunsAway" });
    const { page } = operator;
    await go(operator, "dead");
    const asked = { filter: { error: "RunsAway" }, reason: "a mistake", rate: 1 };
    const { id } = await told("/v1/dead-letters/discard", asked);
    const job = page.locator(".job").filter({ hasText: "a mistake" });
    await job.getByRole("button", { name: "Stop" }).click();
    await job.getByText("cancelled").waitFor();
    assert.equal((await told(`/v1/dead-letters/jobs/${id}`)).state, "cancelled");
  });

  it("lays doubles in doubt side by side, and makes them one, or keeps them apart, as it is told", async () => {
    const { page } = tenant;
    const states = async (review: ReviewItem) =>
      Promise.all(
        review.leads.map(
          async ({ id }) => ((await (await gateway.call(acme, `/v1/leads/${id}`)).json()) as any).status,
        ),
      );
    const [same, two] = [await askedAbout(gateway, acme), await askedAbout(gateway, acme)];
    await go(tenant, "doubles");
    const shown = ({ leads }: ReviewItem) => page.getByRole("article").filter({ hasText: leads[0]!.fields.name });
    await shown(same).getByRole("row", { name: /^Name/ }).waitFor();
    await shown(same).getByText("name same").waitFor();
    await shown(same).getByRole("button", { name: "The same…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Make them one" }).click();
    await shown(same).waitFor({ state: "detached" });
    assert.equal((await states(same)).filter((status) => status === "merged").length, 1);
    await shown(two).getByRole("button", { name: "Two businesses" }).click();
    await shown(two).waitFor({ state: "detached" });
    assert.ok(!(await states(two)).includes("merged"));
    await page.getByLabel("Show").selectOption("apart");
    await shown(two).getByText("kept apart").waitFor();
    // And what was made one can be undone.
    const { id } = same.leads[(await states(same)).indexOf("merged")]!;
    await go(tenant, `leads/${id}`);
    await page.getByRole("button", { name: "Undo the merge" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Undo the merge" }).click();
    await eventually("it is a lead again", async () => !(await states(same)).includes("merged"));
  });

  it("asks about all doubles in doubt, page after page, and says when somebody else was quicker", async () => {
    const secret = (await gateway.key("doubtful", "read", "operate")).secret;
    const knex = gateway.resources.databases.of("doubtful");
    const pairs = Array.from({ length: 21 }, () =>
      [aLead({ tenant: "doubtful" }), aLead({ tenant: "doubtful" })].sort((a, b) => (a.leadId < b.leadId ? -1 : 1)),
    );
    await writeEnds(
      knex,
      pairs.flat().map((lead) => ({ lead: passed(lead, "enrich", "dedupe"), stage: "email", state: "completed" })),
    );
    const asked = pairs.map(([low, high]) => ({
      tenant: "doubtful",
      low: low!.leadId,
      high: high!.leadId,
      ground: "doubt" as const,
      weight: 1,
      evidence: [],
    }));
    await transaction(knex, (trx) => openReviews(trx, asked));
    const person = await browser.person();
    const { page } = person;
    await signIn(person, gateway.url, secret, "doubles");
    const reviews = page.getByRole("article");
    await eventually("a page of them is shown", async () => (await reviews.count()) === 20);
    for (const name of await reviews.evaluateAll((all) => all.map((one) => one.ariaLabel!))) {
      const review = page.getByRole("article", { name });
      await review.getByRole("button", { name: "Two businesses" }).click();
      await review.waitFor({ state: "detached" });
    }
    await eventually("the last one is asked about", async () => (await reviews.count()) === 1);
    const { items } = (await (await gateway.call(secret, "/v1/reviews")).json()) as { items: ReviewItem[] };
    const decided = await gateway.call(secret, `/v1/reviews/${items[0]!.id}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ decision: "keep_apart" }),
    });
    assert.equal(decided.status, 200);
    await reviews.getByRole("button", { name: "The same…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Make them one" }).click();
    await dialog.getByText("it was decided before: apart").waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await reviews.getByRole("button", { name: "Try again" }).click();
    await page.getByText("No pair is in doubt").waitFor();
    assert.deepEqual(person.complaints, []);
    await person.context.close();
  });
});
