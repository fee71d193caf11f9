import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { Knex } from "knex";
import sender from "../../../services/email/sender.service.ts";
import { type Person, signIn, startBrowser, type TestBrowser } from "../../support/browser.ts";
import { eventually } from "../../support/eventually.ts";
import { operators, startGateway, type TestGateway } from "../../support/gateway.ts";
import { logTo } from "../../support/log-to.ts";
import { Mailbox, mailSettings, writeSome } from "../../support/mail.ts";

const refused = Object.assign(new Error("no such mailbox"), { responseCode: 550 });

describe("the console's acts on mail, and its live log", function () {
  this.timeout(180_000);
  const cleanup = new AsyncDisposableStack();
  let gateway: TestGateway;
  let box: Mailbox;
  let knex: Knex;
  let browser: TestBrowser;

  before(async function () {
    const found = await startBrowser();
    if (!found) return this.skip();
    browser = cleanup.use(found);
    box = cleanup.use(await Mailbox.open());
    gateway = cleanup.use(
      await startGateway({
        services: [
          ...operators,
          // The log of operations comes to the database by it.
          "services/leads/leads.service.ts",
          "services/email/email.service.ts",
          "services/email/mail.service.ts",
          "services/smtp/smtp.service.ts",
          { ...sender, settings: { leaseMs: 5_000, pollMs: 30 } as object },
        ],
        env: mailSettings(box.url, { LEADS_RATE_LIMIT: "100000" }),
      }),
    );
    knex = gateway.resources.databases.of("acme");
  });
  after(() => cleanup.disposeAsync());

  /** Somebody of a tenant at a place of the page. */
  async function person(tenant: string, scopes: Parameters<TestGateway["key"]>[1][], place: string): Promise<Person> {
    const somebody = await browser.person();
    await signIn(somebody, gateway.url, (await gateway.key(tenant, ...scopes)).secret, place);
    return somebody;
  }
  const leave = async ({ context, complaints }: Person) => {
    assert.deepEqual(complaints, []);
    await context.close();
  };
  const stateOf = async (leadId: string): Promise<string> =>
    (await knex("outbox").where({ lead_id: leadId }).first()).state;
  const becomes = (leadId: string, state: string) =>
    eventually(`the e-mail is ${state}`, async () => (await stateOf(leadId)) === state);
  const doneBy = async (what: string) => (await knex("operations").where({ what })).map(({ result }) => result);

  it("settle an e-mail of unknown fate: one was sent, and stays; one was not, and goes out", async () => {
    box.cutAnswers = 2;
    const mails = await writeSome(knex, 2);
    for (const { leadId } of mails) await becomes(leadId, "unknown");
    const [sent, lost] = mails as [(typeof mails)[0], (typeof mails)[0]];
    const operator = await person("acme", ["read", "operate"], "mail?state=unknown");
    const { page } = operator;
    const open = async (to: string) => {
      await page.getByRole("button", { name: to }).click();
      await page.getByRole("dialog").getByText("was it sent?").waitFor();
    };
    const gone = (to: string) => page.getByRole("button", { name: to }).waitFor({ state: "detached" });
    await open(sent.to);
    await page.getByRole("button", { name: "It was sent" }).click();
    await gone(sent.to);
    assert.equal(await stateOf(sent.leadId), "sent");
    await open(lost.to);
    await page.getByRole("button", { name: "It was not: send it now" }).click();
    await gone(lost.to);
    await becomes(lost.leadId, "sent");
    assert.deepEqual([box.counts.get(sent.messageId), box.counts.get(lost.messageId)], [1, 2]);
    await eventually("both acts are on record", async () => (await doneBy("mail.settle")).join() === "done,done");
    await leave(operator);
  });

  it("do not offer a key without the scope operate to settle anything", async () => {
    box.cutAnswers = 1;
    const [mail] = await writeSome(knex, 1);
    await becomes(mail!.leadId, "unknown");
    const reader = await person("acme", ["read"], "mail?state=unknown");
    await reader.page.getByRole("button", { name: mail!.to }).click();
    await reader.page.getByRole("dialog").getByText(mail!.to).waitFor();
    assert.equal(await reader.page.getByRole("button", { name: /It was/ }).count(), 0);
    await leave(reader);
  });

  it("let a tenant that bounces stopped send again, once asked twice", async () => {
    const tenant = { tenant: "bouncy" };
    let asked = 0;
    box.refuse.recipient = () => (++asked % 40 === 0 ? refused : undefined);
    // 200 are enough to judge by; the rest waits.
    await writeSome(knex, 260, tenant);
    const stopped = async () => (await knex("mail_tenants").where(tenant).first())?.stopped_at;
    await eventually("it is stopped", stopped, { withinMs: 90_000 });
    box.refuse = {};
    const waiting = async () =>
      Number(
        (
          await knex("outbox")
            .where({ ...tenant, state: "written" })
            .count("* as n")
        )[0]!["n"],
      );
    assert.ok((await waiting()) > 0);
    const operator = await person("bouncy", ["read", "operate"], "mail");
    const { page } = operator;
    await page
      .getByRole("alert")
      .getByText(/e-mails in seven days bounced/)
      .waitFor();
    await page.getByRole("button", { name: "Send again…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Send again" }).click();
    await page.getByText("Sending is stopped").waitFor({ state: "detached" });
    assert.equal(await stopped(), null);
    await eventually("the rest is sent", async () => (await waiting()) === 0, { withinMs: 90_000 });
    await eventually("the act is on record", async () => (await doneBy("mail.resume")).join() === "done");
    await leave(operator);
  });

  it("show log lines as they come, of the filter alone, and no more once they are not followed", async () => {
    await using log = logTo(gateway.nats, gateway.settings);
    const [one, other] = [randomUUID(), randomUUID()];
    const say = (message: string, leadId: string) => log.say("score", message, { leadId });
    say("before", one);
    const operator = await person("operators", ["read", "platform"], `logs?lead=${one}`);
    const { page } = operator;
    const line = (message: string) => page.getByRole("button", { name: message, exact: true });
    await line("before").waitFor();
    say("not of this lead", other);
    say("comes live", one);
    await line("comes live").waitFor();
    assert.equal(await line("not of this lead").count(), 0);
    await line("comes live").click();
    await page.getByRole("dialog").getByText(one).waitFor();
    await page.keyboard.press("Escape");
    await page.getByLabel("Follow").uncheck();
    await line("comes live").waitFor();
    say("after", one);
    const { secret } = await gateway.key("operators", "platform");
    const read = async () => (await gateway.call(secret, `/v1/logs?lead=${one}`)).text();
    await eventually("the stream has it", async () => (await read()).includes('"after"'));
    assert.equal(await line("after").count(), 0);
    await page.getByRole("button", { name: "Reload" }).click();
    await line("after").waitFor();
    await leave(operator);
  });

  it("go on with the log behind its last line when the stream breaks and is refused for a while", async () => {
    await using log = logTo(gateway.nats, gateway.settings);
    const lead = randomUUID();
    const say = (message: string) => log.say("score", message, { leadId: lead });
    const operator = await person("operators", ["read", "platform"], `logs?lead=${lead}`);
    const { page } = operator;
    const line = (message: string) => page.getByRole("button", { name: message, exact: true });
    const refusal = page.getByRole("alert").getByText("Not followed.");
    await page.getByText("What comes is shown here.").waitFor();
    say("before the break");
    await line("before the break").waitFor();
    const following = "**/v1/logs?*follow=true*";
    await page.route(following, (route) => route.fulfill({ status: 503 }));
    const { server } = gateway.broker.getLocalService("gateway") as unknown as { server: Server };
    server.closeAllConnections();
    await refusal.waitFor();
    say("during the break");
    await page.unroute(following);
    await line("during the break").waitFor();
    await refusal.waitFor({ state: "detached" });
    say("after the break");
    await line("after the break").waitFor();
    assert.equal(await line("before the break").count(), 1);
    await leave(operator);
  });
});
